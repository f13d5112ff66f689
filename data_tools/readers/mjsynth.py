"""MJSynth as it is published: annotation files with `path index`, words in lexicon.txt (Jaderberg et al., 2014)."""

from __future__ import annotations

from pathlib import Path

from data_tools.errors import UserError
from data_tools.images import decode_sample
from data_tools.readers.pictures import Lines, read_picture, split_line
from data_tools.sample import CorruptSample, EncodedSample, Sample
from data_tools.text import trim

LEXICON = "lexicon.txt"


class MjsynthReader:
    """The samples of one annotation file (`annotation_train.txt` …); pictures and lexicon.txt lie in its folder.

    The label is the lexicon's word; its letters keep the case of the file name (`3/12_Slow_71.jpg`), which says how it
    was drawn, where the two agree otherwise.
    """

    def __init__(self, annotations: str | Path):
        self.path = Path(annotations)
        self.root = self.path.parent
        self._lines = Lines(self.path)
        if not (self.root / LEXICON).is_file():
            raise UserError(f"{self.root / LEXICON}: is missing; {self.path.name} names words by their place in it")
        self._words = Lines(self.root / LEXICON)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Sample:
        return decode_sample(self.stored(index))

    def stored(self, index: int) -> EncodedSample:
        """Sample `index` with its picture as it lies in the file."""
        name, text = self._annotation(index)
        return EncodedSample(read_picture(self.root, name), text, name)

    def text(self, index: int) -> str:
        """The label of sample `index` alone; its picture is not looked at."""
        return self._annotation(index)[1]

    def _annotation(self, index: int) -> tuple[str, str]:
        name, place = split_line(self._lines[index], f"{self.path.name}:{index + 1}")
        if not (place.isascii() and place.isdigit() and len(place) < 16 and int(place) < len(self._words)):
            raise CorruptSample(name, f"the annotation's index is not one of {LEXICON}", "label")
        word = trim(self._words[int(place)].decode("utf-8", "replace"))
        if not word:
            raise CorruptSample(name, f"its word in {LEXICON} is empty", "label")
        return name, _as_drawn(name, word)


def _as_drawn(name: str, word: str) -> str:
    parts = Path(name.replace("\\", "/")).stem.split("_")
    drawn = parts[1] if len(parts) == 3 else word
    return drawn if drawn.lower() == word.lower() else word


def find_annotations(path: Path) -> Path | None:
    """The annotation file that `path` means: itself, or the only one in that folder; None where it is no MJSynth set.

    Raises UserError where a folder has several (train, val, test), so that they are not mixed by accident.
    """
    if path.is_file():
        return path if (path.parent / LEXICON).is_file() and path.suffix == ".txt" else None
    found = sorted(path.glob("annotation*.txt"))
    if len(found) > 1:
        raise UserError(f"{path}: has {', '.join(each.name for each in found)}; name one of them")
    return found[0] if found else None
