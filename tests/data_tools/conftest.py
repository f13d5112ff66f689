"""Small real data sets: word pictures drawn with Pillow's own font, as files."""

import io
import random
from pathlib import Path

import lmdb
import pytest
from PIL import Image, ImageDraw, ImageFont

WORDS = ["Exit", "hotel", "OPEN", "café", "24h", "Market", "no-entry", "a", "Pharmacy", "Rose"]


def draw_word(text: str, seed: int = 0) -> Image.Image:
    """A grey picture of `text`, its size and shade depending on `seed`."""
    rng = random.Random(f"{text} {seed}")
    font = ImageFont.load_default(rng.randint(14, 24))
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (right - left + 8, bottom - top + 8), rng.randint(180, 255))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, rng.randint(0, 90), font)
    return image


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def fill_folder(root: Path, count: int) -> Path:
    """A set in the report's layout: `count` lines of gt.txt, pictures in image/."""
    (root / "image").mkdir(parents=True)
    lines = []
    for number in range(count):
        text = WORDS[number % len(WORDS)]
        (root / "image" / f"{number}.png").write_bytes(file_of(draw_word(text, number)))
        lines.append(f"{number}.png {text}\n")
    (root / "gt.txt").write_text("".join(lines), "utf-8")
    return root


def fill_lmdb(path: Path, records: dict[bytes, bytes]) -> Path:
    """An LMDB as the layout's usual writers make it, with py-lmdb alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as transaction:
        for key, value in records.items():
            transaction.put(key, value)
    return path


def usual_records(count: int) -> dict[bytes, bytes]:
    records = {b"num-samples": str(count).encode()}
    for number in range(1, count + 1):
        text = WORDS[number % len(WORDS)]
        records[b"image-%09d" % number] = file_of(draw_word(text, number), "JPEG")
        records[b"label-%09d" % number] = text.encode()
    return records


@pytest.fixture
def folder(tmp_path):
    return lambda count, name="set": fill_folder(tmp_path / name, count)


@pytest.fixture
def usual_lmdb(tmp_path):
    return lambda count, name="usual": fill_lmdb(tmp_path / name, usual_records(count))


@pytest.fixture
def lmdb_of(tmp_path):
    return lambda records, name="made": fill_lmdb(tmp_path / name, records)


@pytest.fixture
def png_of():
    return lambda text="word", seed=0, kind="PNG": file_of(draw_word(text, seed), kind)
