"""Pictures that may be anything."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_tools.images import decode, to_channels
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


def test_see_through_places_show_white_not_black():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert np.asarray(to_channels(clear, 1)).min() == 255
    palette = Image.new("P", (4, 4), 0)
    palette.info["transparency"] = 0
    assert np.asarray(to_channels(palette, 3)).min() == 255


def test_sixteen_bit_scans_keep_their_shades():
    ramp = Image.fromarray(np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8))
    grey = np.asarray(to_channels(ramp, 1)).astype(int).reshape(-1)
    assert grey[0] == 0 and grey[-1] == 255 and (np.diff(grey) > 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16"])
def test_every_mode_becomes_grey_and_colour(mode):
    image = Image.new(mode, (5, 3))
    assert to_channels(image, 1).mode == "L" and to_channels(image, 3).mode == "RGB"
