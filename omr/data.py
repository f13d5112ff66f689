"""Data sets of scores: opened, checked to be scores, and framed as a model wants its pictures."""

from __future__ import annotations

from contextlib import suppress

from crnn_jt.spec import RecognizerSpec
from data_tools.errors import UserError
from data_tools.images import to_channels
from data_tools.music import vocabulary
from data_tools.readers import Concatenated, open_reader
from data_tools.readers.primus import PrimusReader, is_primus
from data_tools.sample import CorruptSample, Reader, Sample
from omr.checks import is_framed
from omr.ink import NoStaff
from omr.reading import framed

LABELS = 20
"""This many labels are looked at before all are read."""


def open_scores(paths: list[str], split: str | None, encoding: str, camera: bool):
    """One reader over PrIMuS folders and LMDBs of scores."""
    readers = []
    for path in paths:
        if is_primus(path):
            readers.append((path, PrimusReader(path, split, encoding, camera)))
        elif split or camera:
            raise UserError(f"{path}: --split and --camera are for PrIMuS folders, which this is not")
        else:
            readers.append((path, open_reader(path)))
    for path, reader in readers:
        _check_labels(path, reader, encoding)
    return readers[0][1] if len(readers) == 1 else Concatenated(readers)


def _check_labels(path: str, reader, encoding: str) -> None:
    """Raises UserError where the first labels hold not one symbol of the encoding: words, or the other encoding."""
    texts = []
    for index in range(min(LABELS, len(reader))):
        with suppress(CorruptSample):
            texts.append(reader.text(index))
    if texts and not any(set(text.split()) & vocabulary.symbols(encoding) for text in texts):
        raise UserError(f"{path}: its labels are no {encoding} encoding of music, such as {texts[0][:40]!r}")


class Framed:
    """A reader whose pictures are framed as a model wants them; those in their frame already are left alone."""

    def __init__(self, reader: Reader, spec: RecognizerSpec):
        self.reader, self.spec = reader, spec
        self.ordered = getattr(reader, "ordered", False)

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> Sample:
        sample = self.reader[index]
        if self.spec.image.frame == "ink":
            return sample
        high = sample.image.height == self.spec.image.height
        if high and is_framed(to_channels(sample.image, 1)):
            return sample
        try:
            image = framed(sample.image, self.spec)[0]
        except NoStaff as error:
            if high:  # lines too blurred to be found again
                return sample
            raise CorruptSample(sample.key, "no staff was found in the picture") from error
        return Sample(image, sample.text, sample.key, sample.extra)
