"""Photographs in one XML file with tagged rectangles: ICDAR 2003 (Lucas et al.) and the Street View Text set (Wang).

`<tagset><image><imageName>…</imageName> <taggedRectangles><taggedRectangle x y width height><tag>TEXT</tag>…`. ICDAR
2003 has `words.xml` (and `locations.xml` and `segmentation.xml`, of the same words); SVT has `train.xml` and
`test.xml`, with each photograph's own lexicon (`<lex>`), which comes as `Sample.extra["lexicon"]`; SVT names some words
only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from data_tools.errors import UserError
from data_tools.readers.scenes.base import Annotation, SceneReader, corners_of, make_region, read_parts
from data_tools.sample import Region

MAIN = "words.xml"
_START = b"<tagset"


@dataclass(frozen=True)
class _Rectangle:
    """The numbers and the text of one rectangle, as they stand there."""

    box: tuple[str | None, ...]
    text: str | None


class TaggedReader(SceneReader):
    """Samples are the images of the file, in its order. Raises UserError where it is damaged or names none."""

    layout = "tagged rectangles (ICDAR 2003, SVT)"

    def __init__(self, path: str | Path):
        path = Path(path)
        try:
            images = list(ElementTree.parse(path).getroot().iter("image"))
        except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
            raise UserError(f"{path}: cannot be read as XML ({error})") from error
        named = [image for image in images if (image.findtext("imageName") or "").strip()]
        if not named:
            raise UserError(f"{path}: names no image")
        super().__init__(path.parent, [image.findtext("imageName").strip() for image in named])
        self._rectangles = [[_take(each) for each in image.iter("taggedRectangle")] for image in named]
        self._lexicons = [(image.findtext("lex") or "").strip() for image in named]

    def annotate(self, index: int) -> Annotation:
        found = read_parts(self._rectangles[index], _parse, "rectangle", "is no rectangle with numbers")
        lexicon = self._lexicons[index]
        return Annotation(found.regions, found.flaws, {"lexicon": lexicon} if lexicon else {})


def find_tagged(path: Path) -> Path | None:
    """The XML file of such a set: `path` itself, or the one in it. Raises UserError where there are several."""
    if path.is_file():
        return path if path.suffix.lower() == ".xml" and _is_tagged(path) else None
    found = sorted(file for file in path.glob("*.xml") if _is_tagged(file))
    main = [file for file in found if file.name == MAIN]
    if len(found) > 1 and not main:
        raise UserError(f"{path}: has {', '.join(file.name for file in found)}; name one of them")
    return (main or found or [None])[0]


def _is_tagged(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return _START in file.read(4096)
    except OSError:
        return False


def _take(element: ElementTree.Element) -> _Rectangle:
    return _Rectangle(tuple(element.get(name) for name in ("x", "y", "width", "height")), element.findtext("tag"))


def _parse(rectangle: _Rectangle) -> Region | None:
    try:
        left, top, width, height = map(float, rectangle.box)
    except (TypeError, ValueError):
        return None
    return make_region(corners_of(left, top, left + width, top + height), rectangle.text)
