"""CCPD (Xu et al., ECCV 2018): photographs of Chinese cars, each with one number plate that the file's name describes.

`025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg`: area, tilt, box, corners from
the lower right clockwise, the plate's characters as places in the lists below, brightness, blur. Pictures lie in the
folder or in those below it (`ccpd_base/` …); files of `splits/` name some of them, a path a line.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

import numpy as np

from data_tools.readers.scenes.base import Annotation, SceneReader, make_region
from data_tools.readers.walk import is_side
from data_tools.sample import Region
from data_tools.text import read_lines

PROVINCES = "皖沪津渝冀晋蒙辽吉黑苏浙京闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新警学O"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZO"
SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789O"
_PLACE = r"\d+&\d+"
_NAME = re.compile(
    rf"[\d.]+-[-\d_]+-{_PLACE}_{_PLACE}-(?P<corners>{_PLACE}(?:_{_PLACE}){{3}})-(?P<plate>\d+(?:_\d+)+)-.*"
)
_LOOKED_AT = 20


class CcpdReader(SceneReader):
    """Samples are the pictures below `root`, in the order of their names, or those that are named."""

    layout = "CCPD"

    def annotate(self, index: int) -> Annotation:
        region = parse_name(Path(self._names[index]).stem)
        flaw = (("name", "is none of CCPD's"),)
        return Annotation((region,)) if region is not None else Annotation(flaws=flaw)


def parse_name(stem: str) -> Region | None:
    """The region that a picture's name describes; None where it does not.

    >>> parse_name("025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15").text
    '皖AY339S'
    """
    found = _NAME.fullmatch(stem)
    if not found:
        return None
    first, second, *others = map(int, found["plate"].split("_"))
    if first >= len(PROVINCES) or second >= len(LETTERS) or max(others, default=0) >= len(SIGNS):
        return None
    text = PROVINCES[first] + LETTERS[second] + "".join(SIGNS[place] for place in others)
    corners = np.array([list(map(int, each.split("&"))) for each in found["corners"].split("_")])
    return make_region(np.roll(corners, 2, axis=0), text)


def find_ccpd(path: Path) -> CcpdReader | None:
    """The reader of a folder, or of a file of `splits/`; None where it is none of CCPD's."""
    if path.is_file():
        return _open_split(path) if path.suffix == ".txt" else None
    folders = ["", *(name for name in _list(path, _LOOKED_AT) if (path / name).is_dir())]
    folders = [at for at in folders if any(_is_plate(name) for name in _list(path / at, _LOOKED_AT))]
    names = [os.path.join(at, name) for at in folders for name in _list(path / at) if _is_plate(name)]
    return CcpdReader(path, sorted(names)) if names else None


def _open_split(path: Path) -> CcpdReader | None:
    with open(path, "rb") as file:
        first = file.readline(4096).decode("utf-8", "replace").strip()
    if not _is_plate(first):
        return None
    root = path.parent if (path.parent / first).is_file() else path.parent.parent
    return CcpdReader(root, read_lines(path))


def _is_plate(name: str) -> bool:
    return parse_name(Path(name).stem) is not None


def _list(folder: Path, most: int | None = None) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in islice(entries, most) if not is_side(entry.name))
