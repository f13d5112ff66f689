"""Photographs with regions of text in the published layouts, and what reads them: for `tests/fuzz.py`."""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

from data_tools.sample import CorruptSample

_QUAD = "1,2,30,2,30,12,1,12"
_POINTS = [[1, 2], [30, 2], [30, 12], [1, 12]]
SCENES = {
    "quads": ("gt/a.txt", f'\ufeff{_QUAD},one\r\n{_QUAD},###\n1, 2, 30, 12, "two"\n'),
    "mlt": ("gt/a.txt", f"{_QUAD},Latin,one\n{_QUAD},Arabic,###\n"),
    "rctw": ("gt/a.txt", f'{_QUAD},0,"one"\n{_QUAD},1,"two"\n'),
    "total": ("a.txt", "x: [[1 9\n 9]], y: [[2 2 9]], ornt: [u'c'], transcriptions: [u'one']\n"),
    "td500": ("a.gt", "0 0 1 2 30 10 0.1\n1 1 1 2 30 10 -1.5\n"),
    "funsd": (
        "annotations/a.json",
        json.dumps({"form": [{"text": "x", "words": [{"box": [1, 2, 9, 9], "text": "x"}]}]}),
    ),
    "tagged": (
        "words.xml",
        "<?xml version='1.0'?><tagset><image><imageName>a.png</imageName><lex>A,B</lex><taggedRectangles>"
        "<taggedRectangle x='1' y='2' width='9' height='9'><tag>one</tag></taggedRectangle>"
        "</taggedRectangles></image></tagset>",
    ),
    "label": ("Label.txt", "a.png\t" + json.dumps([{"transcription": "one", "points": _POINTS, "difficult": False}])),
    "lsvt": (
        "train_labels.json",
        json.dumps({"a": [{"transcription": "o", "points": _POINTS, "illegibility": False}]}),
    ),
    "coco": (
        "coco.json",
        '{"imgs": {"1": {"id": 1, "file_name": "a.png"}}, "imgToAnns": {"1": [2]}, "anns": {"2": {"image_id": 1, '
        '"bbox": [1, 2, 9, 9], "mask": [1, 2, 9, 2, 9, 9], "utf8_string": "one", "legibility": "legible"}}}',
    ),
}
"""Annotations of photographs by layout: (file, what it says of a.png)."""


def make_scenes(layout: str) -> dict[str, bytes]:
    """One photograph in one of the published layouts."""
    name, content = SCENES[layout]
    picture = io.BytesIO()
    Image.new("L", (48, 24), 255).save(picture, "PNG")
    folder = "image/" if name.startswith(("gt/", "annotations/")) else ""
    return {name: content.encode(), f"{folder}a.png": picture.getvalue()}


def use_scenes(folder: Path) -> None:
    """Opens photographs, inspects them, and cuts their regions out; corrupt ones are no fault."""
    from data_tools.inspection import inspect
    from data_tools.photos.regions import CutRegions
    from data_tools.readers import open_reader

    reader = open_reader(folder)
    inspect(reader)
    if getattr(reader, "layout", "MSRA-TD500") == "MSRA-TD500":  # no photographs any more, or where text is, not what
        return
    crops = CutRegions(reader, "lines")
    for index in range(min(len(crops), 20)):
        try:
            crops[index]
        except CorruptSample:
            continue
