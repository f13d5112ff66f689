"""Learning from a teacher: a recogniser that is small, or sees less, learns what a better one reads.

Source: Chen et al., "Dynamic low-resolution distillation for cost-efficient end-to-end text spotting" (ECCV 2022).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import load_state, nn, ops
from crnn_jt.distilling import WAYS, check_generator, distance, learn
from crnn_jt.layers import Linear, fresh_state
from crnn_jt.models import restore
from crnn_jt.models.recognizer import Recognizer, transform_of
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS
from crnn_jt.tasks.recognition import Lines, Recognition
from crnn_jt.weights import check, load_weights
from data_tools.errors import UserError
from data_tools.loader import Batch, ScaledBatch, Scales, TextLines
from data_tools.transforms import Reduced

logger = logging.getLogger(__name__)
TEACHER_SEED = 3_000_003
"""Added to a run's seed for the projections."""


@dataclass(frozen=True)
class Lesson:
    """Lines as the student sees them, and the same as the teacher does: images (N, C, H, W) and widths (N,)."""

    lines: Lines
    images: np.ndarray
    widths: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)


class Projections(nn.Module):
    """Linear maps from the student's features to the teacher's, by name, where these differ in number."""

    def __init__(self, sizes: dict[str, tuple[int, int]], seed: int):
        super().__init__()
        self.pieces = {name: Linear(*pair) for name, pair in sizes.items()}
        for name, pair in sizes.items():
            setattr(self, name, nn.Linear(*pair))
        load_state(self, fresh_state(self.pieces, np.random.default_rng(seed)))


@TASKS.register("distillation")
class Distillation(Recognition):
    """Trains a recogniser on what the weights `teacher` read, which stay as they are, beside the labels.

    `by` sequences: -log p of the teacher's `beams` likeliest texts, weighted by their share of the probability of all
    of them; by logits: the Kullback-Leibler divergence of the student's chances from the teacher's at each step.
    `labels`, `features` and `hidden` weigh three further losses (0: none): of the labels; squared distances of the
    sequences before and after the refiner, through a learned projection where the numbers of features differ. The
    student sees pictures at `scale` times its own height, what is finer being lost; the teacher sees them sharp.
    Raises UserError where teacher and student do not go together.
    """

    taught = "distillation"

    def __init__(
        self,
        model: Recognizer,
        config: Config,
        teacher: str = "",
        by: str = "sequences",
        beams: int = 3,
        labels: float = 1.0,
        features: float = 1.0,
        hidden: float = 1.0,
        scale: float = 1.0,
        kinship: float = 0.0,
    ):
        if not teacher:
            raise ValueError("name the weights of its teacher")
        super().__init__(model, config, kinship)
        if by not in WAYS:
            raise ValueError(f"by {by!r}: it takes {' or '.join(WAYS)}")
        if beams < 1:
            raise ValueError(f"beams {beams}: it takes 1 or more")
        if not 0 < scale <= 1:
            raise ValueError(f"scale {scale}: it takes more than 0, at most 1")
        self.teacher = restore(load_weights(teacher), teacher, "recognizer")
        self.by, self.beams, self.scale = by, beams, scale
        _check(model, self.teacher, teacher, by)
        agree = _steps_agree(model, self.teacher)
        if not agree and by == "logits" and model.generator.framewise:
            raise UserError(f"--teacher {teacher}: gives another number of steps; distil by sequences")
        if not agree:
            logger.info("%s", f"--teacher {teacher}: gives another number of steps; features are not compared")
        compared = {"features": features, "hidden": hidden} if agree else {}
        self.compared = tuple(name for name, weight in compared.items() if weight)
        self.weights = {"ctc": labels, "symbols": labels, "features": features, "hidden": hidden}
        self.labels = labels > 0
        pairs = {name: (_width_of(model, name), _width_of(self.teacher, name)) for name in self.compared}
        projected = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        self.projections = Projections(projected, config.train.seed + TEACHER_SEED)
        self.others = (self.teacher, self.projections)

    def groups(self) -> dict[str, dict[str, Any]]:
        """The student's weights, and the projections."""
        own = {f"projections.{name}": value for name, value in backend.parameters(self.projections).items()}
        return super().groups() | ({"projections": own} if own else {})

    def memory(self) -> dict[str, np.ndarray]:
        """The projections, which are left behind with the task."""
        return backend.state(self.projections)

    def recall(self, memory) -> None:
        """Goes on with the projections of a checkpoint. Raises UserError where they are not there."""
        check(dict(memory), backend.state(self.projections), "the checkpoint's projections")
        load_state(self.projections, memory)

    def collate(self, training: bool) -> TextLines | Scales:
        """What the student sees; while training what the teacher sees too, changed alike, where that is another."""
        own = super().collate(training)
        theirs = TextLines(transform_of(self.teacher.spec), own.augment)
        if self.scale < 1:
            own = TextLines(Reduced(own.transform, self.scale), own.augment)
        return Scales((own, theirs)) if training and own != theirs else own

    def usable(self, batch: Batch | ScaledBatch) -> tuple[Lesson, int]:
        """The samples whose label the student can emit."""
        own, theirs = _split(batch)
        kept = list(self._learnable(own))
        lines, left_out = super().usable(own)
        return Lesson(lines, theirs.images[kept], theirs.widths[kept]), left_out

    def stand_in(self, batch: Batch | ScaledBatch) -> Lesson:
        """One image with a label of one symbol, for both."""
        own, theirs = (Recognition.stand_in(self, part) for part in _split(batch))
        return Lesson(own, theirs.images, theirs.widths)

    def losses(self, inputs: Lesson) -> dict[str, Any]:
        """`teacher` and as the options say `features`, `hidden` and those of the labels."""
        lines, generator = inputs.lines, self.model.generator
        seen, lengths = self.model.see(ops.array(lines.images), lines.widths)
        sequence = self.model.refine(seen, lengths)
        with backend.no_grad():
            taught, own = self.teacher.see(ops.array(inputs.images), inputs.widths)
            refined = self.teacher.refine(taught, own)
        pairs = {"features": (seen, taught), "hidden": (sequence, refined)}
        found = {name: self._distance(name, *pairs[name], lengths) for name in self.compared}
        found["teacher"] = learn(
            self.by,
            (generator, sequence, lengths),
            (self.teacher.generator, refined, own),
            lines.targets,
            lines.sizes,
            np.full(len(lines), 1 / len(lines), np.float32),
            self.beams,
            self.model.spec.labels.max_length,
        )
        if self.labels:
            found |= generator.losses(sequence, lengths, lines.targets, lines.sizes)
        return found

    def _distance(self, name: str, mine, theirs, lengths: np.ndarray):
        projection = getattr(self.projections, name, None)
        shares = np.full(len(lengths), 1 / len(lengths), np.float32)
        return distance(mine if projection is None else projection(mine), theirs, lengths, shares)


def _split(batch: Batch | ScaledBatch) -> tuple[Batch, Batch]:
    """What the student sees, and what the teacher does."""
    return batch.parts if isinstance(batch, ScaledBatch) else (batch, batch)


def _steps_agree(model: Recognizer, teacher: Recognizer) -> bool:
    """Whether both give as many steps of any picture; their features can be compared only then."""
    own, other = model.spec.image, teacher.spec.image
    if own.resize != other.resize or own.multiple * other.height != other.multiple * own.height:
        return False
    pairs = (own.narrowest, other.narrowest), (own.widest, other.widest)
    return all(model.steps(np.array([a])) == teacher.steps(np.array([b])) for a, b in pairs)


def _width_of(model: Recognizer, name: str) -> int:
    """Features of the sequence before the refiner, or after it."""
    return model.seen_features if name == "features" else model.refiner.out_features


def _check(model: Recognizer, teacher: Recognizer, name: str, by: str) -> None:
    """Raises UserError where the two do not go together."""
    for who, one in (("the student", model), (f"--teacher {name}", teacher)):
        if one.corrector is not None:
            raise UserError(f"distillation: {who} has a corrector, whose readings are not passed on; take one without")
        check_generator(one.generator)
    if teacher.tokenizer.symbols != model.tokenizer.symbols:
        raise UserError(f"--teacher {name}: reads other symbols than {model.spec.name}")
    if by == "logits" and type(teacher.generator) is not type(model.generator):
        names = teacher.spec.generator.name, model.spec.generator.name
        raise UserError(f"--teacher {name}: answers by {names[0]}, the student by {names[1]}; distil by sequences")
