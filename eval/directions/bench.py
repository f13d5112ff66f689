"""Each picture as it is and turned round, shown to a classifier of direction and to another program's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from crnn_jt import reading
from crnn_jt.directing import TogetherWithReader, load
from data_tools.errors import UserError
from data_tools.loader.turned import SHORTEST
from data_tools.photos.cutting import TALL
from data_tools.sample import CorruptSample
from eval.machine import count_cores
from eval.photos.peer import RapidOCR
from eval.words.sets import TestSet

BATCH = 256

Judge = Callable[[Sequence[Image.Image]], np.ndarray]
"""The probability that each picture stands on its head, (N,)."""


@dataclass
class Result:
    """A set's pictures, each judged both ways: how many there are, how many judgements are right of twice as many, and
    of how many pictures the turned one is taken for the more overturned one.
    """

    name: str
    n: int = 0
    right: int = 0
    told_apart: int = 0
    peer_right: int | None = None
    left_out: int = 0

    def to_json(self) -> dict[str, float | int | None]:
        """Accuracies in %."""
        found = {"n": self.n, "left_out": self.left_out, "accuracy": self._share(self.right / 2)}
        found["told_apart"] = self._share(self.told_apart)
        return found if self.peer_right is None else {**found, "peer": self._share(self.peer_right / 2)}

    def _share(self, count: float) -> float | None:
        return 100 * count / self.n if self.n else None


def measure(
    weights: str | Path,
    sets: Sequence[TestSet],
    problems: list[str],
    peer: bool = False,
    recognizer: str | Path | None = None,
) -> list[Result]:
    """A result for each set, of a classifier alone or together with a recogniser; problems gain a line for each with
    pictures that cannot be read. Raises UserError where nothing can be judged, the weights are of another kind, or the
    peer does not answer.
    """
    own = load(weights)
    if recognizer is not None:
        own = TogetherWithReader(own, reading.load(recognizer))
    other = RapidOCR(count_cores()) if peer else None
    try:
        results = [_judge(each, own.overturned, other and other.overturned, problems) for each in sets]
    finally:
        if other is not None:
            other.close()
    if not any(result.n for result in results):
        raise UserError(f"no picture of a level word of {SHORTEST} letters and more can be read: {'; '.join(problems)}")
    return results


def _judge(test_set: TestSet, own: Judge, other: Judge | None, problems: list[str]) -> Result:
    """What a classifier, and perhaps another, says of a set."""
    result = Result(test_set.name, peer_right=None if other is None else 0)
    broken = []
    following = _pictures(test_set, result, broken)
    while pictures := list(islice(following, BATCH)):
        turned = [picture.transpose(Image.Transpose.ROTATE_180) for picture in pictures]
        before, after = own(pictures), own(turned)
        result.n += len(pictures)
        result.right += int((before < 0.5).sum() + (after >= 0.5).sum())
        result.told_apart += int((before < after).sum())
        if other is not None:
            result.peer_right += int((other(pictures) < 0.5).sum() + (other(turned) >= 0.5).sum())
    if broken:
        problems.append(f"{test_set.name}: {len(broken)} cannot be read, such as {broken[0]}")
    return result


def _pictures(test_set: TestSet, result: Result, broken: list[str]) -> Iterator[Image.Image]:
    """Those that can be judged; the others are counted."""
    reader = test_set.reader
    for index in tqdm(range(len(reader)), desc=test_set.name, unit=" pictures", disable=None):
        try:
            sample = reader[index]
        except CorruptSample as error:
            broken.append(str(error))
            continue
        if sum(map(str.isalnum, sample.text)) < SHORTEST or sample.image.height > TALL * sample.image.width:
            result.left_out += 1
        else:
            yield sample.image


def make_rows(results: Sequence[Result]) -> list[list[str]]:
    """Head and a row for each set."""
    asked = any(result.peer_right is not None for result in results)
    rows = [["set", "pictures", "left out", "right, %", "told apart, %", *(["the peer, %"] if asked else [])]]
    for result in results:
        found = result.to_json()
        figures = [found["accuracy"], found["told_apart"], *([found["peer"]] if asked else [])]
        cells = ["-" if figure is None else f"{figure:.1f}" for figure in figures]
        rows.append([result.name, str(result.n), str(result.left_out), *cells])
    return rows


def format_json(results: Sequence[Result], problems: Sequence[str]) -> str:
    """{"sets": {name: {"n", "left_out", "accuracy", "told_apart", "peer"}}, "problems": [a line each]}."""
    return json.dumps({"sets": {each.name: each.to_json() for each in results}, "problems": list(problems)}, indent=1)
