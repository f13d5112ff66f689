"""Pictures that may be anything."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

from data_tools.errors import UserError
from data_tools.images import decode, list_pages, open_file, to_channels
from data_tools.levels import scale_to_bytes
from data_tools.sample import CorruptSample


def test_a_whole_picture_comes_out_pixel_for_pixel(png_of):
    again = decode(png_of("hello"), "k")
    assert again.mode == "L" and again.tobytes() == decode(png_of("hello"), "k").tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_half_a_file_is_corrupt_not_half_a_picture(png_of, kind):
    whole = png_of("hello", kind=kind)
    with pytest.raises(CorruptSample) as raised:
        decode(whole[: len(whole) // 2], "img-7")
    assert raised.value.key == "img-7"


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"hello, world", b"\x89PNG\r\n\x1a\n", bytes(range(256)) * 10])
def test_bytes_that_are_no_picture_are_named_not_raised_raw(content):
    with pytest.raises(CorruptSample):
        decode(content, "k")


def test_a_small_file_that_claims_a_huge_picture_is_refused_before_it_takes_the_memory():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(CorruptSample, match="too large"):
        decode(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\0\0\0\0", "bomb")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phones_picture_is_turned_as_its_exif_says(orientation):
    """A phone saves what its sensor saw, and says beside it which way up that was."""
    upright = Image.fromarray(np.arange(40 * 60, dtype=np.uint8).reshape(40, 60) // 2)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that make the file of each orientation
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif, buffer = Image.Exif(), BytesIO()
    exif[0x0112] = orientation
    stored.save(buffer, format="PNG", exif=exif)
    seen = decode(buffer.getvalue(), "k")
    assert seen.size == (60, 40) and seen.tobytes() == upright.tobytes()


def test_all_pages_of_a_file_are_decoded(tmp_path):
    """Of a scan; the pictures of an animation are no pages, and a damaged page stays, to be named."""
    pages = [Image.new("L", (30 + n, 20), 40 * n) for n in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    found = [open_file(name) for name in list_pages(tmp_path / "a.tif")]
    assert [(page.size, page.tobytes()) for page in found] == [(page.size, page.tobytes()) for page in pages]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    assert len(list_pages(tmp_path / "a.gif")) == 1
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-60])
    *whole, cut = list_pages(tmp_path / "cut.tif")
    assert [open_file(name).size for name in whole] == [(30, 20), (31, 20)]
    with pytest.raises(UserError, match=r"cut\.tif#3: the image cannot be decoded"):
        open_file(cut)


def test_a_scans_thumbnails_are_no_pages(tmp_path):
    """Pages keep the numbers that they have in the file, and each its own orientation."""
    sizes, kinds = [(30, 20), (6, 4), (20, 30)], [{}, {254: 1}, {274: 6}]
    with AppendingTiffWriter(str(tmp_path / "a.tif"), True) as file:
        for size, tags in zip(sizes, kinds):
            Image.new("L", size).save(file, format="TIFF", tiffinfo=tags)
            file.newFrame()
    names = list_pages(tmp_path / "a.tif")
    assert [name.name for name in names] == ["a.tif", "a.tif#3"]
    assert [open_file(name).size for name in names] == [(30, 20), (30, 20)]


def test_programs_that_draw_are_not_run(tmp_path):
    """PostScript among the samples of a stranger must not reach Ghostscript; documents are told from damage."""
    mark = tmp_path / "run"
    script = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({mark}) (w) file closefile showpage\n%%EOF\n"
    for content, said in ((script.encode(), "EPS is a drawing"), (b"%PDF-1.7\n", "PDF is a document")):
        with pytest.raises(CorruptSample, match=f"{said}, not a picture; save"):
            decode(content, "k")
    assert not mark.exists()


def test_see_through_places_show_white_not_black():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 0, 255))
    assert np.asarray(to_channels(clear, 1))[1:].min() == 255
    palette = Image.new("P", (4, 4), 1)
    palette.putpixel((0, 0), 0)
    palette.info["transparency"] = 1
    assert np.asarray(to_channels(palette, 3))[1:].min() == 255


def test_sixteen_bit_scans_keep_their_shades():
    ramp = Image.fromarray(np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8))
    grey = np.asarray(to_channels(ramp, 1)).astype(int).reshape(-1)
    assert grey[0] == 0 and grey[-1] == 255 and (np.diff(grey) > 0).all()


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (np.array([0, 0.5, 1]), [0, 127, 255]),
        (np.array([-1.0, 1.0]), [0, 255]),
        (np.array([0, 128.0, 255]), [0, 128, 255]),
        (np.array([0, 1e-3]), [0, 255]),
        (np.array([0.0, 3.5]), [0, 255]),
        (np.array([0, 1023], np.uint16), [0, 255]),
        (np.array([0, 3000], np.uint16), [0, 186]),
        (np.array([0, 200], np.int32), [0, 200]),
        (np.array([0, 2**63], np.uint64), [0, 127]),
        (np.array([-5, 5], np.int8), [0, 255]),
        (np.array([np.nan, np.inf, 0, 1]), [0, 255, 0, 255]),
        (np.array([np.nan]), [0]),
        (np.array([7.0, 7.0]), [0, 0]),
    ],
    ids=str,
)
def test_levels_are_scaled_by_what_the_picture_holds(values, seen):
    """A picture of 12 bits in 16 must not be nearly black, nor one of shares."""
    assert scale_to_bytes(values).tolist() == seen


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "La", "PA", "RGBa", "I;16B", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16"],
)
def test_every_mode_becomes_grey_and_colour(mode):
    image = Image.new(mode, (5, 3))
    assert to_channels(image, 1).mode == "L" and to_channels(image, 3).mode == "RGB"
