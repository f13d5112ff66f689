"""The tables of PP-OCR's paper as changes of configurations, with the published figures (Du et al., "PP-OCR: A
Practical Ultra Lightweight OCR System", 2020).

Its rows were trained on real and rendered data that are not public, for 6,622 symbols where a recogniser is concerned:
the published figures stand beside ours to compare directions, not values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from data_tools.errors import UserError

Changes = dict[str, Any]
"""Values of a configuration by their dotted names."""
WARM_UP = 0.05
"""Of the steps, a share: the paper has 2 of its 100 epochs and more."""


@dataclass(frozen=True)
class Published:
    """Accuracy or H-mean in %, megabytes and milliseconds a picture on the paper's processors; None: not known."""

    score: float | None = None
    megabytes: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True)
class Row:
    """What is compared: `changes` of the table's configuration; `initialised` rows start from given weights."""

    name: str
    what: str
    changes: Changes = field(default_factory=dict)
    published: Published = Published()
    initialised: bool = False


@dataclass(frozen=True)
class Table:
    """`config` with `changes`, and what each row changes. In a `cumulative` table a row keeps the changes of those
    before it, and is compared with the one before; in others with the first. `measure` is the score of its task.
    """

    number: int
    title: str
    config: str
    rows: tuple[Row, ...]
    changes: Changes = field(default_factory=dict)
    cumulative: bool = False
    measure: str = "accuracy"
    note: str = ""

    def changes_of(self, row: Row) -> Changes:
        """All that the row changes in the configuration."""
        before = self.rows[: self.rows.index(row)] if self.cumulative else ()
        return {name: value for each in (self, *before, row) for name, value in each.changes.items()}


def _augment(*names: str) -> Changes:
    return {"train.augment": bool(names), "train.augmentations": list(names)}


def _extractor(name: str, **options) -> Changes:
    return {"model.extractor": {"name": name, **options}}


PLAIN = {
    "train.optimizer": "adam",
    "train.learning_rate": 1e-3,
    "train.schedule": "constant",
    "train.warmup": 0,
    "train.weight_decay": 0.0,
    "train.ema": 0.0,
    **_augment(),
}
"""No strategy at all."""
COSINE, WARM, L2 = {"train.schedule": "cosine"}, {"train.warmup": WARM_UP}, {"train.weight_decay": 1e-5}
_STRIDES = {n: _extractor("mobilenet_v3", size="small", width=0.5, lines=True, second_stride=n) for n in (1, 2)}
S6 = {**PLAIN, **_augment("bda"), **COSINE, **L2, **WARM, **_STRIDES[1]}
"""What the recogniser's backbones and heads are compared with."""
_WIDE = {"model.refiner": {"name": "bilstm", "hidden": 256, "depth": 2}}


def _mobilenet(size: str, width: float, **options) -> Changes:
    return _extractor("mobilenet_v3", size=size, width=width, **options)


def _augmented(name: str, score: float, *names: str) -> Row:
    return Row(name, " + ".join(names) or "none", _augment(*names), Published(score))


def _head(width: int, score: float, megabytes: float, milliseconds: float) -> Row:
    published = Published(score, megabytes, milliseconds)
    return Row(str(width), f"{width} features each way", {"model.refiner.hidden": width}, published)


TABLES = (
    Table(
        3,
        "backbones of the detector",
        "db",
        (
            Row("large-1", "MobileNetV3 large x1", _mobilenet("large", 1.0)),
            Row("large-0.5", "MobileNetV3 large x0.5", _mobilenet("large", 0.5), Published(61.27, 7, 406)),
            Row("large-0.35", "MobileNetV3 large x0.35", _mobilenet("large", 0.35)),
            Row("small-1", "MobileNetV3 small x1", _mobilenet("small", 1.0)),
        ),
        {**PLAIN, "train.augment": True, "model.neck.inner": 256},
        measure="hmean",
    ),
    Table(
        5,
        "the detector's strategies",
        "db",
        (
            Row("256", "256 channels in the pyramid", published=Published(61.27, 7, 406)),
            Row("96", "96 channels", {"model.neck.inner": 96}, Published(60.46, 4.1, 213)),
            Row("no-gates", "no squeeze-and-excitation", {"model.extractor.gates": False}, Published(60.87, 2.6, 173)),
            Row("cosine", "cosine decay", COSINE, Published(61.12, 2.6, 173)),
            Row("warm-up", "warm-up", WARM, Published(62.39, 2.6, 173)),
        ),
        {**PLAIN, "train.augment": True, "model.neck.inner": 256, **_mobilenet("large", 0.5, gates=True)},
        cumulative=True,
        measure="hmean",
    ),
    Table(
        7,
        "backbones of the classifier of direction",
        "direction",
        (
            Row(
                "small-0.5",
                "MobileNetV3 small x0.5",
                _mobilenet("small", 0.5, lines=True),
                Published(94.94, 1.34, 3.22),
            ),
            Row(
                "small-0.35",
                "MobileNetV3 small x0.35",
                _mobilenet("small", 0.35, lines=True),
                Published(94.03, 0.85, 3.21),
            ),
            Row(
                "shuffle-0.5",
                "ShuffleNetV2 x0.5",
                _extractor("shufflenet_v2", lines=True),
                Published(90.17, 1.72, 3.41),
            ),
        ),
        {**PLAIN, **COSINE, **WARM, **_augment("bda", "randaugment")},
    ),
    Table(
        8,
        "the resolution of the classifier of direction",
        "direction",
        (
            Row(
                "32x100", "3x32x100", {"model.image.height": 32, "model.image.width": 100}, Published(92.12, 0.85, 3.19)
            ),
            Row(
                "48x192", "3x48x192", {"model.image.height": 48, "model.image.width": 192}, Published(94.03, 0.85, 3.21)
            ),
        ),
        {**PLAIN, **COSINE, **WARM, **_augment("bda", "randaugment")},
        note="The paper's third row is quantised (94.56, 0.46 MB, 2.38 ms).",
    ),
    Table(
        9,
        "augmentation for the classifier of direction",
        "direction",
        (
            _augmented("none", 88.79),
            _augmented("bda", 91.34, "bda"),
            _augmented("cutmix", 90.83, "bda", "cutmix"),
            _augmented("mixup", 91.04, "bda", "mixup"),
            _augmented("cutout", 90.81, "bda", "cutout"),
            _augmented("hideandseek", 85.98, "bda", "hideandseek"),
            _augmented("gridmask", 91.40, "bda", "gridmask"),
            _augmented("randomerasing", 91.93, "bda", "randomerasing"),
            _augmented("autoaugment", 91.33, "bda", "autoaugment"),
            _augmented("randaugment", 92.12, "bda", "randaugment"),
        ),
        {**PLAIN, **COSINE, **WARM, "model.image.height": 32, "model.image.width": 100},
    ),
    Table(
        10,
        "backbones of the recogniser",
        "ppocr",
        (
            Row(
                "small-0.35", "MobileNetV3 small x0.35", _mobilenet("small", 0.35, lines=True), Published(62.88, 22, 17)
            ),
            Row(
                "small-0.5", "MobileNetV3 small x0.5", _mobilenet("small", 0.5, lines=True), Published(65.56, 23, 17.27)
            ),
            Row("small-1", "MobileNetV3 small x1", _mobilenet("small", 1.0, lines=True), Published(69.33, 28, 19.15)),
        ),
        {**S6, **_WIDE},
    ),
    Table(
        11,
        "the width of the recogniser's head",
        "ppocr",
        (
            _head(256, 65.56, 23, 17.27),
            _head(96, 66.73, 8, 13.36),
            _head(64, 66.42, 5.6, 12.64),
            _head(48, 65.81, 4.6, 12.26),
        ),
        S6,
    ),
    Table(
        12,
        "the recogniser's strategies",
        "ppocr",
        (
            Row("S1", "none", published=Published(51.93, 4.6)),
            Row("S2", "BDA", _augment("bda"), Published(55.05, 4.6)),
            Row("S3", "cosine decay", COSINE, Published(56.52, 4.6)),
            Row("S4", "second stride (1, 1)", _STRIDES[1], Published(61.79, 4.6)),
            Row("S5", "L2 decay 1e-5", L2, Published(65.19, 4.6)),
            Row("S6", "warm-up", WARM, Published(65.81, 4.6)),
            Row("S7", "TIA", _augment("bda", "tia"), Published(66.70, 4.6)),
            Row("S8", "pre-trained weights", {}, Published(69.00, 4.6), initialised=True),
        ),
        {**PLAIN, **_STRIDES[2]},
        cumulative=True,
        note="The published 69.00 is of quantised weights (1.5 MB).",
    ),
    Table(
        15,
        "light and large recognisers",
        "ppocr",
        (
            Row("light", "MobileNetV3 small x0.5, head of 48", published=Published(megabytes=4.6)),
            Row(
                "large",
                "ResNet34-vd, head of 256",
                {**_extractor("resnet_vd", depth=34, lines=True), **_WIDE},
                Published(megabytes=107),
            ),
        ),
        {**S6, **_augment("bda", "tia")},
        note="The paper compares whole systems, whose detectors are MobileNetV3 large x0.5 and ResNet18-vd; sizes are "
        "PaddleOCR's benchmark page's. The detector: --table 15 --part detector.",
    ),
    Table(
        15,
        "light and large detectors",
        "db",
        (
            Row("light", "MobileNetV3 large x0.5, 96 channels", published=Published(megabytes=2.6)),
            Row(
                "large",
                "ResNet18-vd, 256 channels",
                {**_extractor("resnet_vd", depth=18), "model.neck.inner": 256},
                Published(megabytes=47.2),
            ),
        ),
        {**PLAIN, **COSINE, **WARM, "train.augment": True},
        measure="hmean",
        note="Sizes are PaddleOCR's benchmark page's, of PP-OCR mobile and server.",
    ),
)
"""In the paper's numbers; those of pruning and quantisation are not among them (`eval slim`)."""


def find_table(number: int, part: str = "") -> Table:
    """The table of that number; of several, that of the `part` (recogniser, the first, or detector). Raises UserError
    where there is none.
    """
    found = [table for table in TABLES if table.number == number]
    if not found:
        numbers = dict.fromkeys(str(table.number) for table in TABLES)
        raise UserError(f"--table {number}: there are: {', '.join(numbers)}")
    chosen = [table for table in found if not part or part in table.title]
    if not chosen:
        raise UserError(f"--part {part}: table {number} is of {' and of '.join(table.title for table in found)}")
    return chosen[0]


def choose_rows(table: Table, names: list[str] | None) -> list[Row]:
    """The rows of those names, all for None. Raises UserError for one that the table does not have."""
    known = {row.name: row for row in table.rows}
    for name in names or ():
        if name not in known:
            raise UserError(f"--rows {name}: table {table.number} has: {', '.join(known)}")
    return [row for row in table.rows if names is None or row.name in names]
