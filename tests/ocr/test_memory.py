"""What a large picture costs: it is held once."""

from __future__ import annotations

import subprocess
import sys

LARGE = """
import resource
import numpy as np
from PIL import Image
from ocr.reading import PhotoReader
from tests.ocr.pictures import KnownRegions, KnownTexts, box

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

reader = PhotoReader(KnownRegions([box(10, 10, 300, 60)]), KnownTexts(["text"] * 2))
reader.read(Image.new("RGB", (600, 600)))
image = Image.new("RGB", (6000, 6000), "white")
before = peak()
reader.read(image)
print(peak() - before)
"""


def test_a_large_picture_is_held_once():
    """36 megapixels, 144 MB: neither an array of all of it nor a turned copy is made, also not for the look at its
    side.
    """
    done = subprocess.run([sys.executable, "-c", LARGE], check=False, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 60


PIECES = """
from PIL import Image
from ocr.reading import PhotoReader
from tests.ocr.pictures import KnownRegions, KnownTexts, box

def held():
    status = open("/proc/self/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024

reader = PhotoReader(KnownRegions([box(10, 10, 300, 60)]), KnownTexts(["text"] * 2))
image = Image.new("RGB", (3000, 3000), "white")
blocks = [b"x" * 100_000 for _ in range(800)]
kept = blocks[::8]
del blocks
before = held()
reader.read(image)
print(before - held())
"""


def test_what_earlier_pictures_left_is_given_back_before_a_large_one():
    """Of 80 MB that were taken a tenth is in use, here and there."""
    done = subprocess.run([sys.executable, "-c", PIECES], check=False, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 40


NETWORK = """
import numpy as np
from crnn_jt import detecting
from ocr.memory import give_back_memory

def held():
    status = open("/proc/self/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024

give_back_memory()
detector = detecting.load("db-light")
detector.probability(Image.new("RGB", (320, 320)), 1.0)
before = held()
detector.probability(Image.new("RGB", (1984, 1984)), 1.0)
print(held() - before)
"""


def test_what_a_large_look_takes_is_given_back():
    """1984x1984 pixels in one piece take 250 MB of maps."""
    program = "from PIL import Image\n" + NETWORK
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 130
