"""What a model and its training are, as frozen dataclasses; YAML carries their values and nothing else.

    model:                     train:
      name: crnn-light           steps: 20000
      image: {height: 32, …}     optimizer: adamw
      labels: {…}                …
      extractor: {name: light}
      refiner: {name: bilstm, hidden: 128}
      generator: {name: ctc}

Unknown keys are refused; stage options go to the stage's constructor, which refuses what it does not know.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from data_tools.errors import UserError

CONFIGS = Path(__file__).parent / "configs"
ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyz"
LARGEST = 1 << 14
"""Sizes above it are mistakes, or a weights file that wants all memory."""


def _one_of(name: str, value, allowed: tuple) -> None:
    if value not in allowed:
        raise UserError(f"{name}: {value!r}; it takes {' or '.join(map(str, allowed))}")


def _at_least(name: str, value, least) -> None:
    if value < least:
        raise UserError(f"{name}: {value}; it takes {least} or more")


def _at_most(name: str, value, most) -> None:
    if value > most:
        raise UserError(f"{name}: {value}; it takes {most} at most")


@dataclass(frozen=True)
class ImageSpec:
    """How a picture becomes an array: `channels` 1 (grey) or 3, `height` pixels, `resize` fixed to `width` or
    proportional between `min_width` and `max_width` in steps of `multiple`.
    """

    channels: int = 1
    height: int = 32
    width: int = 100
    resize: str = "fixed"
    min_width: int = 32
    max_width: int = 400
    multiple: int = 4

    def __post_init__(self):
        _one_of("image.resize", self.resize, ("fixed", "proportional"))
        _one_of("image.channels", self.channels, (1, 3))
        for name in ("height", "width", "min_width", "max_width", "multiple"):
            _at_least(f"image.{name}", getattr(self, name), 1)
            _at_most(f"image.{name}", getattr(self, name), LARGEST)
        if self.min_width > self.max_width:
            raise UserError(f"image.min_width {self.min_width} is above image.max_width {self.max_width}")

    @property
    def narrowest(self) -> int:
        """The least width an image can come out with."""
        return self.width if self.resize == "fixed" else self.min_width

    @property
    def widest(self) -> int:
        """The greatest width an image can come out with."""
        return self.width if self.resize == "fixed" else self.max_width


@dataclass(frozen=True)
class LabelSpec:
    """The symbols that can be read: `characters` (each one a symbol) or a named `vocabulary` of whole words separated
    by spaces (semantic, agnostic). `max_length` symbols at most. `outside` says what happens to a label with a symbol
    that is not among them: refuse (stop), drop-character or drop-sample.
    """

    characters: str = ALPHANUMERIC
    vocabulary: str = ""
    max_length: int = 25
    outside: str = "drop-character"

    def __post_init__(self):
        _one_of("labels.outside", self.outside, ("refuse", "drop-character", "drop-sample"))
        _at_least("labels.max_length", self.max_length, 1)
        _at_most("labels.max_length", self.max_length, LARGEST)
        if bool(self.characters) == bool(self.vocabulary):
            raise UserError("labels: name either characters or a vocabulary (set the other to '')")
        if len(set(self.characters)) != len(self.characters):
            raise UserError("labels.characters: a character stands there twice")


@dataclass(frozen=True)
class StageSpec:
    """A stage by its registered name; every other key is an option of its constructor."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSpec:
    """A recogniser: image -> extractor -> refiner -> generator -> labels."""

    name: str
    extractor: StageSpec
    refiner: StageSpec
    generator: StageSpec
    image: ImageSpec = ImageSpec()
    labels: LabelSpec = LabelSpec()


@dataclass(frozen=True)
class TrainSpec:
    """How a recogniser is trained. Lengths in optimiser steps, learning rates per step, `weight_decay` decoupled with
    adamw; `clip` is the largest gradient norm (0: none), `ema` the decay of the averaged weights (0: none); `kinship`
    is how strongly notes of one pitch, or of one duration, learn from each other's samples (0: not at all);
    proportional pictures are sorted by width within `window` batches, so that little is padding; each sample is used
    `echo` times, where making samples is slower than learning from them; `rendered` holds options of the word (or
    score) renderer, used where no data set is named.
    """

    steps: int = 20000
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: str = "cosine"
    warmup: int = 500
    drop_every: int = 10000
    drop_factor: float = 0.1
    final_fraction: float = 0.01
    clip: float = 5.0
    ema: float = 0.999
    kinship: float = 0.0
    validate_every: int = 1000
    checkpoint_every: int = 500
    log_every: int = 50
    workers: int = 1
    window: int = 16
    echo: int = 1
    augment: bool = True
    precision: str = "float32"
    seed: int = 0
    rendered: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        _one_of("train.optimizer", self.optimizer, ("adam", "adamw", "adadelta", "rmsprop", "sgd"))
        _one_of("train.schedule", self.schedule, ("constant", "step", "cosine", "one-cycle"))
        _one_of("train.precision", self.precision, ("float32", "bfloat16"))
        for name in (
            "steps",
            "batch_size",
            "validate_every",
            "checkpoint_every",
            "log_every",
            "drop_every",
            "window",
            "echo",
        ):
            _at_least(f"train.{name}", getattr(self, name), 1)
        for name in ("learning_rate", "weight_decay", "clip", "warmup", "workers", "seed", "drop_factor", "kinship"):
            _at_least(f"train.{name}", getattr(self, name), 0)
        _at_least("train.final_fraction", self.final_fraction, 0)
        for name, value in (("ema", self.ema), ("momentum", self.momentum), *(("betas", beta) for beta in self.betas)):
            if not 0 <= value < 1:
                raise UserError(f"train.{name}: {value}; it takes 0 or more, below 1")


@dataclass(frozen=True)
class Config:
    """One YAML file: a model and its training."""

    model: ModelSpec
    train: TrainSpec = TrainSpec()


def from_dict(kind: type, values: Any, where: str = ""):
    """A dataclass from plain values, strictly: unknown or missing keys and wrong types raise UserError naming the
    key.
    """
    if not isinstance(values, dict):
        raise UserError(f"{where or kind.__name__}: {values!r} is no mapping of keys to values")
    if kind is StageSpec:
        return _stage(values, where)
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise UserError(f"{_join(where, key)}: unknown key; there are: {', '.join(fields)}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise UserError(f"{_join(where, name)}: missing")
    return kind(**{key: checked(hints[key], value, _join(where, key)) for key, value in values.items()})


def _stage(values: dict, where: str) -> StageSpec:
    name = values.get("name")
    if not isinstance(name, str):
        raise UserError(f"{where}.name: missing; it names the stage")
    return StageSpec(name, {key: value for key, value in values.items() if key != "name"})


def checked(hint, value, where: str):
    """`value` as the type `hint` wants it; raises UserError naming `where` it stands."""
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)
    if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)  # YAML reads 1e-3 as a string
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    elif typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        inner = typing.get_args(hint)
        if inner[-1] is Ellipsis or len(inner) == len(value):
            return tuple(checked(inner[0], item, where) for item in value)
    elif typing.get_origin(hint) is dict and isinstance(value, dict):
        return dict(value)
    elif isinstance(hint, type) and not isinstance(hint, types.GenericAlias) and type(value) is hint:
        return value
    name = getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else str(hint)
    raise UserError(f"{where}: {value!r} is not of type {name}")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else str(key)


def to_dict(spec) -> dict[str, Any]:
    """Plain values that `from_dict` turns into the same dataclass again."""
    if isinstance(spec, StageSpec):
        return {"name": spec.name, **spec.options}
    values = {}
    for f in dataclasses.fields(spec):
        value = getattr(spec, f.name)
        values[f.name] = to_dict(value) if dataclasses.is_dataclass(value) else value
        if isinstance(value, tuple):
            values[f.name] = list(value)
    return values


def load_config(name: str | Path) -> Config:
    """The configuration of that name in `configs/`, or in the YAML file at that path. Raises UserError."""
    path = CONFIGS / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise UserError(f"--config {name}: no such file or configuration; there are: {', '.join(config_names())}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path}: not a readable YAML file ({' '.join(str(error).split())})") from error
    try:
        return from_dict(Config, values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def config_names() -> list[str]:
    """The configurations that come with the project."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))
