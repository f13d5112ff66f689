"""An engine's process as the bench sees it: orders go in, answers come out, what breaks says why."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from eval.processes import ROOT, make_environment, read_last_words
from eval.speed.tasks import TORCH

PATIENCE = 900
"""Seconds after which an engine that does not answer is given up; first calls compile for minutes."""
_ENVIRONMENT = {"jittor-plain": {"CRNN_FAST": "0"}}


class Process:
    """An engine's process; a problem is kept in `problem` and ends its part in the bench."""

    def __init__(self, name: str, job_file: Path, python: str, threads: int):
        self.name, self.problem, self.log = name, "", job_file.with_suffix(f".{name}.log")
        variables = {"CRNN_BACKEND": "torch" if name in TORCH else "jittor", "PYTHONUNBUFFERED": "1"}
        self.process = None
        try:
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    [python, "-m", "eval.speed.engines", name, str(job_file)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    bufsize=0,
                    env=make_environment(threads, **variables, **_ENVIRONMENT.get(name, {})),
                )
        except OSError as error:
            self.problem = f"{python}: cannot be started ({error.strerror})"

    def ask(self, **order) -> dict:
        """Gives an order and waits; {} where the engine cannot."""
        if self.problem:
            return {}
        try:
            self.process.stdin.write((json.dumps(order) + "\n").encode())
            ready = select.select([self.process.stdout], [], [], PATIENCE)[0]
            line = self.process.stdout.readline() if ready else b'{"error": "no answer"}'
        except BrokenPipeError:
            line = b""
        answer = json.loads(line) if line else {"error": read_last_words(self.log, self.process.wait())}
        self.problem = answer.get("error", "")
        return {} if self.problem else answer

    def close(self, patience: float = 20) -> None:
        """Ends the process, by force after `patience` seconds."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(min(patience, 1) if self.problem else patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def find_python(engine: str) -> str:
    """The interpreter for an engine. PyTorch lives in an environment of its own: CRNN_TORCH_PYTHON, or .venv-torch."""
    if engine not in TORCH:
        return sys.executable
    own = ROOT / ".venv-torch/bin/python"
    return os.environ.get("CRNN_TORCH_PYTHON") or (str(own) if own.is_file() else sys.executable)
