"""What the word renderer's parts are worth: one model trained on variants of the recipe, read on real words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions
from data_tools.errors import UserError
from eval import training
from eval.options import parse_names
from eval.words.sets import TestSet

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
    "half-circles": {"half_circle": 0.1},
    "waves": {"waves": 0.1},
    "receding": {"receding": 0.1},
    "badges": {"badge": 0.1},
    "irregular": {"half_circle": 0.06, "waves": 0.04, "receding": 0.05, "badge": 0.03},
    "more-irregular": {"half_circle": 0.12, "waves": 0.08, "receding": 0.1, "badge": 0.06},
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


def parse_variants(names: str) -> list[str]:
    """The variants that a comma-joined list names. Raises UserError for unknown ones."""
    found = parse_names(names)
    unknown = [name for name in found if name not in VARIANTS]
    if unknown or not found:
        raise UserError(f"--variants {', '.join(unknown) or names!r}: there are: {', '.join(VARIANTS)}")
    return found


def apply_variant(config: Config, variant: str) -> Config:
    """`config` with the variant's changes of its recipe. Raises UserError where they do not fit together."""
    return replace(config, data=replace(config.data, recipe=config.data.recipe | VARIANTS[variant]))


def train(config: Config, variant: str, options: TrainOptions, folder: Path, sets: list[TestSet]) -> Outcome:
    """Trains on one variant into `folder` and reads the sets with its last weights. Raises UserError."""
    trainer, _ = training.train(apply_variant(config, variant), options, folder)
    return read_sets(variant, folder / "last.safetensors", sets, trainer.progress.seen)


def read_sets(variant: str, weights: Path, sets: list[TestSet], images: int) -> Outcome:
    """Word accuracy of a weights file on each set, no lexicon."""
    from eval.words.bench import score_sets

    results = score_sets(weights, sets)
    counted = sum(scores["n"] for scores in results.values())
    return Outcome(
        variant,
        sum(scores["accuracy"] * scores["n"] for scores in results.values()) / counted,
        {name: scores["accuracy"] for name, scores in results.items()},
        {name: tuple(scores["interval"]["accuracy"]) for name, scores in results.items()},
        images,
    )
