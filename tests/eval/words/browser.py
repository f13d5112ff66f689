"""A headless Chromium through chromedriver's HTTP interface (W3C WebDriver); skips the test where there is none."""

import base64
import json
import re
import shutil
import subprocess
import urllib.request

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1300,1000"]


class Browser:
    """`with Browser() as browser:` one session."""

    def __enter__(self):
        driver = shutil.which("chromedriver")
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if not driver or not chromium:
            pytest.skip("no Chromium with chromedriver on this machine")
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            for line in self.process.stdout:
                if found := re.search(r"successfully on port (\d+)", line):
                    break
            else:
                pytest.skip("chromedriver does not start on this machine")
            self.base = f"http://127.0.0.1:{found.group(1)}/session"
            options = {"goog:chromeOptions": {"binary": chromium, "args": ARGUMENTS}}
            self.base += "/" + self._ask("POST", "", {"capabilities": {"alwaysMatch": options}})["sessionId"]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._ask("DELETE", "")
        finally:
            self._end()

    def _end(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def _ask(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def _find(self, selector):
        return self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def text(self, selector):
        return self._ask("GET", f"/element/{self._find(selector)}/text")

    def click(self, selector):
        self._ask("POST", f"/element/{self._find(selector)}/click")

    def run(self, script):
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def screenshot(self):
        return base64.b64decode(self._ask("GET", "/screenshot"))
