"""What the word renderer's parts are worth: one model trained on variants of the recipe, read on real words."""

from __future__ import annotations

import logging
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crnn_jt.spec import Config
from data_tools.errors import UserError
from data_tools.words import Recipe
from eval import training
from eval.sets import TestSet

logger = logging.getLogger(__name__)

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "bare": {"strength": 0.0, "graphic": 1.0},
    "half": {"strength": 0.5},
    "stronger": {"strength": 1.5},
    "bundled-fonts": {"fonts": [], "system_fonts": False},
    "dictionary-only": {"sign_share": 0.0, "digits_share": 0.0, "mixed_share": 0.0, "random_share": 0.0},
    "signs-only": {"sign_share": 0.79},
    "no-punctuation": {"punctuation_share": 0.0},
    "any-length": {"short_words": 0.0},
    "no-spacing": {"tracking": 0.0, "jitter": 0.0, "first_larger": 0.0, "width": 0.0, "slant": 0.0, "weight": 0.0},
    "no-faces": {
        "border": 0.0,
        "shadow": 0.0,
        "outline": 0.0,
        "relief": 0.0,
        "extrusion": 0.0,
        "dots": 0.0,
        "two_tone": 0.0,
        "letter_texture": 0.0,
    },
    "no-harm": {"engraved": 0.0, "worn": 0.0, "split": 0.0, "occlusion": 0.0, "glare": 0.0, "sharpen": 0.0},
    "no-geometry": {"rotation": 0.0, "perspective": 0.0, "curve": 0.0},
    "no-textures": {"plain": 1.0, "letter_texture": 0.0},
    "no-surroundings": {"neighbours": 0.0, "clutter": 0.0, "rules": 0.0},
    "tight-crops": {"crop_tight": 1.0, "crop_clipped": 0.0},
    "no-camera": {"graphic": 1.0},
    "no-graphics": {"graphic": 0.0},
    "no-low-contrast": {"low_contrast": 0.0},
    "eased-in": {"ease_in": 100_000},
    "not-eased-in": {"ease_in": 0},
}
"""Variants by name: what changes in the recipe that training starts from."""


@dataclass(frozen=True)
class Outcome:
    """One variant: word accuracy in % (0-9a-z) by set, with its 95% interval, and over all images."""

    variant: str
    accuracy: float
    sets: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    images: int


def chosen(names: str) -> list[str]:
    """The variants that a comma-joined list names. Raises UserError for unknown ones."""
    found = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in found if name not in VARIANTS]
    if unknown or not found:
        raise UserError(f"--variants {', '.join(unknown) or names!r}: there are: {', '.join(VARIANTS)}")
    return found


def varied(config: Config, variant: str) -> Config:
    """`config` with the variant's changes of its recipe. Raises UserError where they do not fit together."""
    rendered = {**config.train.rendered, **VARIANTS[variant]}
    Recipe(**rendered)
    return replace(config, train=replace(config.train, rendered=rendered))


def train(config: Config, variant: str, args: Namespace, folder: Path, sets: list[TestSet]) -> Outcome:
    """Trains on one variant into `folder` and reads the sets with its last weights. Raises UserError."""
    trainer, _ = training.train(varied(config, variant), args, folder)
    return judge(variant, folder / "last.safetensors", sets, trainer.progress.seen)


def judge(variant: str, weights: Path, sets: list[TestSet], images: int) -> Outcome:
    """Word accuracy of a weights file on each set, no lexicon."""
    from eval import protocols
    from eval.subject import load
    from eval.words import Evaluation

    evaluation = Evaluation(load(str(weights)), protocols.get("paper"), ["none"], None)
    results = {test_set.name: evaluation.run(test_set).scores["none"] for test_set in sets}
    for problem in evaluation.problems:
        logger.warning("%s", problem)
    counted = sum(scores["n"] for scores in results.values())
    return Outcome(
        variant,
        sum(scores["accuracy"] * scores["n"] for scores in results.values()) / counted,
        {name: scores["accuracy"] for name, scores in results.items()},
        {name: tuple(scores["interval"]["accuracy"]) for name, scores in results.items()},
        images,
    )


def columns(outcomes: list[Outcome]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a variant each, accuracy by set and over all, and how far it is from the first."""
    rows = []
    for one in outcomes:
        cells = [f"{accuracy:.1f}" for accuracy in one.sets.values()]
        rows.append([one.variant, *cells, f"{one.accuracy:.1f}", f"{one.accuracy - outcomes[0].accuracy:+.1f}"])
    return ["variant", *outcomes[0].sets, "all", "change"], rows


def table(outcomes: list[Outcome]) -> list[str]:
    """The columns as lines for a terminal."""
    heads, rows = columns(outcomes)
    widths = [18, *(max(9, len(head) + 1) for head in heads[1:])]
    return [
        "".join(f"{cell:>{w}}" if i else f"{cell:<{w}}" for i, (cell, w) in enumerate(zip(row, widths)))
        for row in (heads, *rows)
    ]


def document(outcomes: list[Outcome], note: str) -> str:
    """The columns as a Markdown section, the changes of each variant and the widest interval with them."""
    heads, rows = columns(outcomes)
    described = [[row[0], _said(VARIANTS[row[0]]), *row[1:]] for row in rows]
    text = training.markdown(["variant", "what it changes", *heads[1:]], described)
    widths = [(high - low) / 2 for one in outcomes for low, high in one.intervals.values()]
    interval = f" 95% intervals: ±{max(widths):.1f} points on a set at most." if widths else ""
    return f"{text}\nWord accuracy in % (0-9a-z), no lexicon; {note}.{interval}\n"


def _said(changes: dict[str, Any]) -> str:
    return ", ".join(f"`{name}` {value}" for name, value in changes.items()) or "nothing: the recipe as it is"
