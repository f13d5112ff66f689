"""Pictures of the kinds that people report: whatever way a word is stored, the model that ships reads it."""

from __future__ import annotations

import json
import os
import shutil
from io import StringIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import crnn_jt
from crnn_jt.__main__ import COMMANDS
from crnn_jt.commands import read
from crnn_jt.pictures import expand, open_picture
from data_tools.cli import main
from data_tools.errors import UserError
from data_tools.words.fonts import bundled_folder

FONT = str(bundled_folder() / "DejaVuSans.ttf")
TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""What turns an upright picture into the file of each EXIF orientation."""


@pytest.fixture(scope="module")
def reader():
    return crnn_jt.load("crnn-light")


def draw(text: str = "station", ink: int = 0, paper: int = 255) -> Image.Image:
    """A word as it is printed."""
    font = ImageFont.truetype(FONT, 34)
    image = Image.new("L", (round(font.getlength(text)) + 20, 51), paper)
    ImageDraw.Draw(image).text((10, 4), text, ink, font)
    return image


def clear(ink: tuple[int, ...]) -> Image.Image:
    """The word in one colour on nothing."""
    image = Image.new("RGBA", draw().size, (*ink, 0))
    image.putalpha(draw(ink=255, paper=0))
    return image


def with_opacity(value: int) -> Image.Image:
    """The word as it is printed, all of one opacity."""
    image = draw().convert("RGBA")
    image.putalpha(value)
    return image


def shadowed() -> Image.Image:
    """White writing with a faint shadow, on nothing."""
    mask = draw(ink=255, paper=0)
    image = Image.new("RGBA", mask.size)
    image.paste((0, 0, 0, 70), (1, 1), mask)
    image.paste((255, 255, 255, 255), (0, 0), mask)
    return image


def cut_out() -> Image.Image:
    """Letters cut out of a large white card."""
    image, holes = Image.new("RGBA", (180, 72), "white"), Image.new("L", (180, 72), 255)
    holes.paste(draw(), (20, 10))
    image.putalpha(holes)
    return image


def card(paper: tuple[int, int, int], ink: int) -> Image.Image:
    """A card with writing in the middle of nothing."""
    word = draw(ink=255, paper=0)
    image = Image.new("RGBA", (word.width + 30, word.height + 30))
    face = Image.new("RGBA", word.size, (*paper, 255))
    face.paste((ink, ink, ink, 255), mask=word)
    image.paste(face, (15, 15))
    return image


def turned(orientation: int) -> tuple[Image.Image, dict]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return draw().convert("RGB").transpose(TURNS[orientation]), {"exif": exif}


def coloured(ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Image.Image:
    """Ink and paper of one luminance."""
    image = Image.new("RGB", draw().size, paper)
    image.paste(ink, mask=draw(ink=255, paper=0))
    return image


def levels(most: float, kind) -> Image.Image:
    return Image.fromarray((np.asarray(draw(), np.float64) / 255 * most).astype(kind))


STORED = {
    "plain.png": lambda: (draw(), {}),
    "phone on its side.jpg": lambda: turned(6),
    "phone on its other side.jpg": lambda: turned(8),
    "phone upside down.jpg": lambda: turned(3),
    "turned.png": lambda: turned(6),
    "turned.tif": lambda: turned(8),
    "turned.webp": lambda: turned(3),
    "white on nothing.png": lambda: (clear((255, 255, 255)), {}),
    "yellow on nothing.webp": lambda: (clear((255, 240, 120)), {"lossless": True}),
    "black on nothing.png": lambda: (clear((0, 0, 0)), {}),
    "white on nothing, grey.png": lambda: (clear((255, 255, 255)).convert("LA"), {}),
    "palette.gif": lambda: (draw().convert("P"), {}),
    "inks.jpg": lambda: (draw().convert("CMYK"), {}),
    "one bit.tif": lambda: (draw().convert("1"), {}),
    "12 bits.png": lambda: (levels(4095, np.uint16), {}),
    "16 bits.png": lambda: (levels(65535, np.uint16), {}),
    "32 bits.tif": lambda: (levels(2**20, np.int32), {}),
    "shares.tif": lambda: (levels(1, np.float32), {}),
    "float levels.tif": lambda: (levels(255, np.float32), {}),
    "float 12 bits.tif": lambda: (levels(4095, np.float32), {}),
    "red on green.png": lambda: (coloured((200, 60, 60), (20, 132, 60)), {}),
    "blue on brown.png": lambda: (coloured((60, 90, 220), (134, 84, 60)), {}),
    "red on green.jpg": lambda: (coloured((200, 60, 60), (20, 132, 60)), {"quality": 90, "subsampling": 0}),
    "white on nothing, palette.png": lambda: (clear((255, 255, 255)).quantize(8), {}),
    "shadowed.png": lambda: (shadowed(), {}),
    "dark card with clear corners.png": lambda: (card((30, 30, 60), 255), {}),
    "cut out of a card.png": lambda: (cut_out(), {}),
    "opacity left unset.png": lambda: (with_opacity(0), {}),
    "pale card with clear margins.png": lambda: (card((250, 240, 220), 0), {}),
}


@pytest.mark.parametrize("name", STORED)
def test_a_word_is_read_however_it_is_stored(name, reader, tmp_path):
    """Turned by EXIF, on nothing, of any depth, in colours of one grey."""
    image, options = STORED[name]()
    image.save(tmp_path / name, **options)
    assert reader.read([tmp_path / name])[0].text == "station"


WORD = np.asarray(draw())
ARRAYS = {
    "H, W, 1": WORD[:, :, None],
    "1, H, W": WORD[None],
    "H, W, 3": np.stack([WORD] * 3, 2),
    "3, H, W": np.stack([WORD] * 3),
    "H, W, 4": np.asarray(clear((255, 255, 255))),
    "H, W, 2": np.asarray(clear((255, 255, 255)).convert("LA")),
    "shares": WORD / 255,
    "-1 to 1": WORD / 127.5 - 1,
    "float levels": WORD.astype(np.float32),
    "bool": WORD > 127,
    "0 and 1": (WORD > 127).astype(np.uint8),
    "int8, 0 and 1": (WORD > 127).astype(np.int8),
    "10 bits": WORD.astype(np.uint16) * 4,
    "standardised": (WORD - WORD.mean()) / WORD.std(),
    "float16": (WORD / 255).astype(np.float16),
    "with gaps": np.where(WORD > 250, np.nan, WORD / 255 - 1),
    "uint16": WORD.astype(np.uint16) * 257,
    "int64": WORD.astype(np.int64),
    "not contiguous": np.asarray(draw().transpose(Image.Transpose.ROTATE_180))[::-1, ::-1],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_word_is_read_from_arrays_of_all_forms(name, reader):
    """What OpenCV, imageio, PyTorch and matplotlib hand over."""
    assert reader.read([ARRAYS[name]])[0].text == "station"


def test_a_word_is_read_from_memory(reader, tmp_path):
    """The bytes of a file, or a file that is open, as a web server has them."""
    draw().save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    with open(tmp_path / "a.png", "rb") as file:
        memory = [content, bytearray(content), memoryview(content), file]
        found = reader.read([*memory, str(tmp_path / "a.png"), np.array([str(tmp_path / "a.png")])[0]])
    assert [one.text for one in found] == ["station"] * 6


class Gone:
    """A file that ends while it is read, as one on a network does."""

    def read(self) -> bytes:
        raise OSError("gone")

    def __repr__(self) -> str:
        return "Gone()"


NO_PICTURES = [b"", b"no picture", [[1]], None, 7, Image.new("L", (0, 9)), "a\0b", np.zeros((1, 9, 9, 3)), Gone()]


@pytest.mark.parametrize("thing", [*NO_PICTURES, StringIO("opened as text")], ids=lambda thing: repr(thing)[:20])
def test_what_is_no_picture_is_one_line(thing):
    with pytest.raises(UserError) as raised:
        open_picture(thing)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300


def test_a_picture_opened_by_the_user_is_turned_once(reader, tmp_path):
    """Image.open gives it as it lies in the file; what the user has turned himself is left alone."""
    image, options = turned(6)
    image.save(tmp_path / "a.jpg", **options)
    opened = Image.open(tmp_path / "a.jpg")
    assert open_picture(opened).size == draw().size
    assert reader.read([opened.transpose(Image.Transpose.ROTATE_270)])[0].text == "station"


def run(capsys, *words) -> tuple[int, list[dict], str]:
    """`read --json` in this process."""
    capsys.readouterr()
    code = main("crnn_jt", "", COMMANDS, ["read", *map(str, words), "--json"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out), printed.err


def test_all_pages_are_read(capsys, tmp_path):
    """A scan of three pages is three pictures; one page can be asked for."""
    pages = [draw(word) for word in ("station", "market", "hotel")]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    _, found, _ = run(capsys, tmp_path)
    assert [entry["text"] for entry in found] == ["station", "market", "hotel"]
    assert [entry["path"].rpartition("/")[2] for entry in found] == ["pages.tif", "pages.tif#2", "pages.tif#3"]
    assert run(capsys, tmp_path / "pages.tif#2")[1][0]["text"] == "market"
    draw("other").save(tmp_path / "own#2", "PNG")  # a file may be called so
    assert expand([str(tmp_path / "own#2")]) == [tmp_path / "own#2"]


def test_side_files_are_passed_over_and_odd_names_printed(capsys, tmp_path):
    """What a Mac leaves beside pictures is none, and a name that is not UTF-8 ends no run."""
    draw().save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"\0\5\x16\7")
    for name in ("paper.pdf", "labels.h5", "film.mpg"):  # Pillow has endings of files that it does not decode
        (tmp_path / name).write_bytes(b"%PDF-1.7")
    odd = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(tmp_path / "a.png", odd)
    code, found, _ = run(capsys, tmp_path)
    assert code == 0 and [entry["text"] for entry in found] == ["station"] * 2
    assert found[1]["path"].endswith(r"caf\xe9.png")


def test_a_name_takes_one_line_and_does_nothing_to_the_terminal(capsys, tmp_path):
    """In print; JSON has the name itself."""
    name = "two\nlines\x1b[31m.png"
    draw().save(tmp_path / name)
    assert run(capsys, tmp_path)[1][0]["path"] == str(tmp_path / name)
    assert main("crnn_jt", "", COMMANDS, ["read", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/two\\nlines\\x1b[31m.png  station  1.00\n"
    assert main("crnn_jt", "", COMMANDS, ["read", "no\nsuch\x1bfile"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_line_squeezed_into_a_word_is_said(capsys, tmp_path):
    """Nor is that of a word on its side or of lines one below the other; a long word's is, and a letter's."""
    draw("the quick brown fox jumps over the lazy dog").save(tmp_path / "line.png")
    draw().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png")
    draw("responsibilities").save(tmp_path / "word.png")
    draw("I").save(tmp_path / "x.png")
    _, found, _ = run(capsys, tmp_path)
    assert "squeezed" in found[0]["warning"] and "2.7 times as high as wide" in found[1]["warning"]
    assert not any("warning" in entry for entry in found[2:])


def test_a_lexicon_answers_in_its_own_spelling(capsys, tmp_path):
    """Any text file is a list: the answer and the alternatives stand in it, as it spells them."""
    draw("newyork").save(tmp_path / "a.png")
    words = ["New-York", "St. Mary's", "STATION", "O'Connell"]
    forms = {
        "streets.txt": "\n".join(words).encode(),
        "STREETS.TXT": "\r\n".join(words).encode(),
        "streets": b"\xef\xbb\xbf" + "  \n".join(words).encode(),
        "streets.csv": b"street,houses\nNew-York,3\nSt. Mary's,4\nSTATION,5\nO'Connell,9\n",
        "streets.utf16": "\n".join(words).encode("utf-16"),
        "counted.txt": "".join(f"{word}\t{place}\n" for place, word in enumerate(words)).encode(),
        "numbered.csv": "".join(f"{place},{word}\n" for place, word in enumerate(words)).encode(),
        "streets.json": json.dumps(words).encode(),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        _, (entry,), _ = run(capsys, tmp_path / "a.png", "--lexicon", tmp_path / name, "--alternatives", 2)
        assert (entry["text"], entry["lexicon"], entry["raw"]) == ("New-York", "within", "newyork"), name
        others = [other["text"] for other in entry["alternatives"]]
        assert others and set(others) < set(words) | {"street"} and "New-York" not in others
    assert read.__doc__ and "#2" in read.__doc__


def test_alternatives_from_a_large_lexicon_are_near_words_of_it(reader):
    """Of thousands of words only those near to the reading are scored; where none is, there are none."""
    far = [f"Zz-{number:09}" for number in range(3000)]
    near = reader.read([draw()], [*far, "Stations", "STATION", "Nation"], alternatives=3)[0]
    assert near.text == "STATION" and {text for text, _ in near.alternatives} == {"Stations", "Nation"}
    assert reader.read([draw()], far, alternatives=3)[0].alternatives == ()


def test_a_pipe_or_folder_in_place_of_a_picture_does_not_hang_the_run(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (*expand([str(tmp_path / "pipe.png")]), tmp_path):
        with pytest.raises(UserError, match="is no ordinary file"):
            open_picture(path)
