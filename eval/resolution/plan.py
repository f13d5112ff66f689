"""What is trained and what is measured: students, selectors, and the ways of choosing a resolution.

Source: Chen et al., "Dynamic low-resolution distillation for cost-efficient end-to-end text spotting" (ECCV 2022),
tables 1 and 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crnn_jt.spec import Config, StageSpec
from data_tools.errors import UserError

TEACHER = "teacher"
STUDENTS = {"multi-scale": "none", "logits": "logits", "sequences": "sequences"}
"""Students by name, and what of the teacher they learn (`by` of the task `distilled-spotting`)."""
SELECTORS = {"selector alone": TEACHER, "selector and sequences": "sequences"}
"""Selectors by name, and whose resolution each chooses."""
PUBLISHED = (("teacher", 69.5, 517.2), ("gamma 0.1", 70.9, 298.8), ("gamma 0.3", 69.3, 148.3))
"""Name, end-to-end F on IC15 with the general lexicon, G floating point operations, of the paper's rows."""


@dataclass(frozen=True)
class Row:
    """One line of the table: who reads, and at which scale, or by which selector."""

    student: str
    scale: float = 0.0
    selector: str = ""

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return self.selector or f"{self.student}, {self.scale:g}"


def name_selector(kind: str, gamma: float) -> str:
    """A selector of a kind, as its row and its run folder are called."""
    return f"{kind}, gamma {gamma:g}"


def list_rows(scales: Sequence[float], gammas: Sequence[float]) -> list[Row]:
    """All rows, the teacher at full size first."""
    rows = [Row(TEACHER, 1.0), *(Row(TEACHER, scale) for scale in scales if scale != 1)]
    rows += [Row(student, scale) for student in STUDENTS for scale in scales]
    pairs = [(kind, student, gamma) for kind, student in SELECTORS.items() for gamma in gammas]
    return rows + [Row(student, selector=name_selector(kind, gamma)) for kind, student, gamma in pairs]


def configure_student(config: Config, name: str, teacher: Path, scales: Sequence[float]) -> Config:
    """The training of a student on a teacher's weights, with the options of pieces that the teacher's training has."""
    kept = {key: value for key, value in _options(config).items() if key not in ("reading",)}
    options = {**kept, "teacher": str(teacher), "by": STUDENTS[name], "scales": list(scales)}
    return replace(config, task=StageSpec("distilled-spotting", options))


def configure_selector(config: Config, student: Path, teacher: Path, scales: Sequence[float], gamma: float) -> Config:
    """The training of a selector for a student's weights."""
    options = {**_options(config), "student": str(student), "teacher": str(teacher), "gamma": gamma}
    model = replace(config.model, scales=tuple(scales))
    return replace(config, model=model, task=StageSpec("selection", options))


def _options(config: Config) -> dict:
    return config.task.options if config.task else {}


def check_kinds(spotter: Config, selector: Config) -> None:
    """Raises UserError where one of the configurations is of another kind of model."""
    for option, config, kind in (("--config", spotter, "spotter"), ("--selector-config", selector, "selector")):
        if config.model.kind != kind:
            raise UserError(f"{option} {config.model.name}: is a {config.model.kind}, not a {kind}")
