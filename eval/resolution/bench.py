"""Trains teacher, students and selectors alike, and reads photographs with each at each resolution."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crnn_jt.detecting import AUTOMATIC, Resolution
from crnn_jt.regions import widths_of
from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions
from data_tools.errors import UserError
from data_tools.files import write_text
from data_tools.sample import Reader
from eval import training
from eval.resolution.plan import (
    PUBLISHED,
    SELECTORS,
    STUDENTS,
    TEACHER,
    Row,
    configure_selector,
    configure_student,
    name_selector,
)

LAST = "last.safetensors"


@dataclass(frozen=True)
class Figures:
    """A row as measured: percentages, G multiply-adds and milliseconds a photograph (means), and how many percent of
    the photographs were looked at at each scale.
    """

    name: str
    detection: float
    words: float
    end_to_end: float
    giga: float
    ms: float
    scales: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """What is trained: configurations of the spotters and of the selectors, what all trainings share, the folder of the
    run folders, the teacher's weights if they are given, scales and gammas.
    """

    spotter: Config
    selector: Config
    options: TrainOptions
    out: Path
    teacher: Path | None
    scales: Sequence[float]
    gammas: Sequence[float]

    def weights_of(self, student: str) -> Path:
        """The weights file of the teacher or a student."""
        return self.teacher if student == TEACHER and self.teacher else self.out / student / LAST

    def selector_of(self, name: str) -> Path:
        """The weights file of a selector."""
        return self.out / name / LAST

    def trainings(self) -> dict[str, Callable[[], None]]:
        """What is to be trained, by the name of its run folder, in an order in which each finds what it needs."""
        found: dict[str, Callable[[], None]] = {}
        if self.teacher is None:
            found[TEACHER] = lambda: self._train(TEACHER, self.spotter)
        for student in STUDENTS:
            found[student] = lambda student=student: self._train_student(student)
        for kind, student in SELECTORS.items():
            for gamma in self.gammas:
                name = name_selector(kind, gamma)
                found[name] = lambda name=name, student=student, gamma=gamma: self._train_selector(name, student, gamma)
        return found

    def _train_student(self, name: str) -> None:
        """Begins from the teacher's weights."""
        teacher = self.weights_of(TEACHER)
        self._train(name, configure_student(self.spotter, name, teacher, self.scales), str(teacher))

    def _train_selector(self, name: str, student: str, gamma: float) -> None:
        pair = self.weights_of(student), self.weights_of(TEACHER)
        self._train(name, configure_selector(self.selector, *pair, self.scales, gamma))

    def _train(self, name: str, config: Config, init: str = "") -> None:
        training.train(config, replace(self.options, init=init), self.out / name)


def measure_row(suite: Suite, row: Row, data: Reader) -> Figures:
    """Reads all photographs as a row says. Raises UserError."""
    from crnn_jt import choosing, spotting
    from ocr.reading import PhotoReader, ReadingOptions
    from ocr.scores import Scores, measure

    spotter = spotting.load(suite.weights_of(row.student))
    selector = choosing.load(suite.selector_of(row.selector)) if row.selector else OneScale(row.scale)
    watched = Watched(PhotoReader(spotter, spotter, None, ReadingOptions(angle=0), selector))
    values = measure(watched, data, Scores()).values()
    figures = values["detection"]["hmean"], values["words"]["f1"], values["end_to_end"]["none"]["hmean"]
    return Figures(row.name, *figures, watched.giga, watched.ms, watched.shares())


@dataclass(frozen=True)
class OneScale:
    """In place of a selector: every photograph at one scale of the size at which it would be looked at."""

    scale: float
    model = None

    def choose(self, image: Image.Image, resolution: Resolution) -> Resolution:
        """The resolution."""
        return Resolution(resolution.of(*image.size) * self.scale)


class Watched:
    """A reader of photographs by a spotter, watched: time, multiply-adds and scales of what it reads."""

    def __init__(self, reader):
        self.reader, self.seconds, self.costs, self.scales = reader, [], [], Counter()

    def read(self, picture: Any, lexicon: Any = None):
        """The page."""
        begin = time.perf_counter()
        page = self.reader.read(picture, lexicon, "none")
        self.seconds.append(time.perf_counter() - begin)
        self.costs.append(self._cost(page))
        self.scales[f"{page.scale / self._full(page):.2f}"] += 1
        return page

    @staticmethod
    def _full(page) -> float:
        """What a scale of 1 is for a page."""
        return AUTOMATIC.of(page.width, page.height)

    def _cost(self, page) -> int:
        """Multiply-adds of a page, of finding, reading and choosing."""
        model, multiple = self.reader.detector.model, self.reader.detector.model.multiple
        sides = (-(-max(1, round(side * page.scale)) // multiple) * multiple for side in (page.height, page.width))
        widths = widths_of([word.quad for word in page.words], model.spec.region) if page.words else []
        read = sum(model.region_cost(int(width), len(word.text)) for width, word in zip(widths, page.words))
        chooser, full = self.reader.selector.model, self._full(page)
        chosen = 0 if chooser is None else chooser.cost(*(round(side * full) for side in (page.height, page.width)))
        return model.cost(*sides) + read + chosen

    @property
    def giga(self) -> float:
        """G multiply-adds a photograph."""
        return float(np.mean(self.costs or [0])) / 1e9

    @property
    def ms(self) -> float:
        """Milliseconds a photograph, in the median: the first ones compile."""
        return 1000 * float(np.median(self.seconds or [0]))

    def shares(self) -> dict[str, float]:
        """Percent of the photographs by scale."""
        return {scale: 100 * count / self.scales.total() for scale, count in sorted(self.scales.items())}


class Kept:
    """Rows that are measured, in a JSON file: an interrupted bench goes on. Those of other photographs are measured
    anew. Raises UserError where the file holds something else.
    """

    def __init__(self, path: Path, photographs: str):
        self.path, self.photographs, self.rows = path, photographs, {}
        if not path.is_file():
            return
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["photographs"] == photographs:
                self.rows = {line["name"]: Figures(**line) for line in document["rows"]}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path}: holds no rows of this bench; name another folder as --out") from error

    def add(self, figures: Figures) -> None:
        """Keeps a row."""
        self.rows[figures.name] = figures
        write_text(self.path, json.dumps(self.document(), indent=1) + "\n")

    def document(self) -> dict[str, Any]:
        """All rows as plain values, the paper's beside them."""
        published = [{"name": name, "end_to_end": score, "giga": giga} for name, score, giga in PUBLISHED]
        rows = [asdict(figures) for figures in self.rows.values()]
        return {"photographs": self.photographs, "rows": rows, "published": published}
