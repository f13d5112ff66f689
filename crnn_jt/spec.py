"""What a model and its training are, as frozen dataclasses; YAML carries their values and nothing else.

    model:                     train:                    data:
      kind: recognizer           steps: 20000              kind: words
      name: crnn-light           optimizer: adamw          recipe: {…}
      image: {height: 32, …}     …
      labels: {…}
      extractor: {name: light}
      refiner: {name: bilstm, hidden: 128}
      generator: {name: ctc}

Unknown keys are refused; stage options go to the stage's constructor, which refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from crnn_jt import sources
from crnn_jt.strict import convert, fill, from_dict, join, spread, to_dict
from data_tools.errors import UserError
from data_tools.text import compose

__all__ = [
    "Config",
    "DataSpec",
    "DetectorSpec",
    "DirectionSpec",
    "GroupSpec",
    "ImageSpec",
    "LabelSpec",
    "ModelSpec",
    "PhotoSpec",
    "RecognizerSpec",
    "RegionSpec",
    "SelectorSpec",
    "SpotterSpec",
    "StageSpec",
    "TrainSpec",
    "config_names",
    "convert",
    "from_dict",
    "load_config",
    "read_config",
    "register_kind",
    "to_dict",
]

CONFIGS = Path(__file__).parent / "configs"
ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyz"
FRAMES = ("", "staff", "ink")
OPTIMIZERS = ("adam", "adamw", "adadelta", "rmsprop", "sgd")
LARGEST = 1 << 14
"""Sizes above it are mistakes, or a weights file that would exhaust memory."""


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
    proportional between `min_width` and `max_width` in steps of `multiple`. `frame` says what is cut out of a picture
    of music first: "staff" (the staff always in one place), "ink" (all that is drawn) or "" (nothing, for words).
    """

    channels: int = 1
    height: int = 32
    width: int = 100
    resize: str = "fixed"
    min_width: int = 32
    max_width: int = 400
    multiple: int = 4
    frame: str = ""

    def __post_init__(self):
        _one_of("image.frame", self.frame, FRAMES)
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
        if len(compose(self.characters)) < len(self.characters):  # typed as letters and accents apart
            object.__setattr__(self, "characters", compose(self.characters))
        if len(set(self.characters)) != len(self.characters):
            raise UserError("labels.characters: a character stands there twice")


@dataclass(frozen=True)
class StageSpec:
    """A stage by its registered name; every other key is an option of its constructor."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: dict[str, Any], where: str) -> StageSpec:
        """From `{name: …, option: …}`. Raises UserError without a name."""
        name = values.get("name")
        if not isinstance(name, str):
            raise UserError(f"{where}.name: missing; it names the stage")
        return cls(name, {key: value for key, value in values.items() if key != "name"})

    def to_values(self) -> dict[str, Any]:
        """Name and options in one mapping."""
        return {"name": self.name, **self.options}


KINDS: dict[str, type[ModelSpec]] = {}
"""Specs of models by kind; `models.MODELS` holds the modules under the same names."""


def register_kind(name: str) -> Callable[[type], type]:
    """Class decorator for the spec of a kind of model; a name that is taken raises KeyError."""

    def add(spec: type) -> type:
        if name in KINDS:
            raise KeyError(f"model kind {name} is registered already: {KINDS[name]}")
        spec.kind = name
        KINDS[name] = spec
        return spec

    return add


@dataclass(frozen=True)
class ModelSpec:
    """What every kind of model has: a name, and stages whose keys in the state begin with the field's name.

    Values without `kind`, as all files before there were several, are a recogniser's.
    """

    kind: ClassVar[str] = ""
    heads: ClassVar[tuple[str, ...]] = ()
    """Stages that make no sense for a model with another one: `weights.transfer` leaves them fresh then."""

    name: str

    @classmethod
    def from_values(cls, values: dict[str, Any], where: str) -> ModelSpec:
        """The spec of the kind that the values name. Raises UserError for a kind that there is not."""
        kind = values.get("kind", "recognizer")
        if not isinstance(kind, str) or kind not in KINDS:
            raise UserError(f"{join(where, 'kind')}: {kind!r}; there are: {', '.join(sorted(KINDS))}")
        spec = KINDS[kind]
        rest = {key: value for key, value in values.items() if key != "kind"}
        return fill(spec, spec.upgrade(rest), where)

    @staticmethod
    def upgrade(values: dict[str, Any]) -> dict[str, Any]:
        """Values as this version writes them, from those of a file of an earlier one."""
        return values

    def to_values(self) -> dict[str, Any]:
        """Plain values with the kind."""
        return {"kind": self.kind, **spread(self)}


@register_kind("recognizer")
@dataclass(frozen=True)
class RecognizerSpec(ModelSpec):
    """A recogniser: image -> [rectifier] -> extractor -> refiner -> generator -> [corrector] -> labels."""

    heads: ClassVar[tuple[str, ...]] = ("generator", "corrector")

    extractor: StageSpec
    refiner: StageSpec
    generator: StageSpec
    image: ImageSpec = ImageSpec()
    labels: LabelSpec = LabelSpec()
    rectifier: StageSpec | None = None
    corrector: StageSpec | None = None

    @staticmethod
    def upgrade(values: dict[str, Any]) -> dict[str, Any]:
        """Models of music said by their extractor's name how their pictures are framed, until 2026-11-26."""
        image, labels, extractor = (values.get(key, {}) for key in ("image", "labels", "extractor"))
        if not all(isinstance(part, dict) for part in (image, labels, extractor)):
            return values  # `fill` says what is wrong
        if not labels.get("vocabulary") or "frame" in image:
            return values
        frame = "staff" if extractor.get("name") == "staff_light" else "ink"
        return {**values, "image": {**image, "frame": frame}}


@dataclass(frozen=True)
class PhotoSpec:
    """Photographs as a detector learns from them: pieces of `height` x `width` pixels, grey (`channels` 1) or in
    colour (3). It reads photographs of any size.
    """

    channels: int = 3
    height: int = 640
    width: int = 640

    def __post_init__(self):
        _one_of("image.channels", self.channels, (1, 3))
        for name in ("height", "width"):
            _at_least(f"image.{name}", getattr(self, name), 32)
            _at_most(f"image.{name}", getattr(self, name), LARGEST)


@register_kind("detector")
@dataclass(frozen=True)
class DetectorSpec(ModelSpec):
    """A detector of text: photograph -> extractor -> neck -> head -> regions, each a word or a line (`unit`)."""

    heads: ClassVar[tuple[str, ...]] = ("head",)

    extractor: StageSpec
    neck: StageSpec
    head: StageSpec
    image: PhotoSpec = PhotoSpec()
    unit: str = "words"

    def __post_init__(self):
        _one_of("unit", self.unit, ("words", "lines"))


@dataclass(frozen=True)
class RegionSpec:
    """How a spotter cuts a region out of its features: `height` rows, columns in proportion between `min_width` and
    `max_width` in steps of `multiple`: of its quad, the perspective undone, or where it is `masked` of the box around
    it, the rest of which is zero.
    """

    height: int = 8
    min_width: int = 16
    max_width: int = 64
    multiple: int = 8
    masked: bool = False

    def __post_init__(self):
        for name in ("height", "min_width", "max_width", "multiple"):
            _at_least(f"region.{name}", getattr(self, name), 1)
            _at_most(f"region.{name}", getattr(self, name), LARGEST)
        if self.min_width > self.max_width:
            raise UserError(f"region.min_width {self.min_width} is above region.max_width {self.max_width}")
        for name in ("min_width", "max_width"):
            if getattr(self, name) % self.multiple:
                raise UserError(f"region.{name} {getattr(self, name)}: it takes a multiple of {self.multiple}")


@register_kind("spotter")
@dataclass(frozen=True)
class SpotterSpec(ModelSpec):
    """A detector that reads from its own features: a region of the neck's map -> branch -> refiner -> generator."""

    heads: ClassVar[tuple[str, ...]] = ("head", "generator")

    extractor: StageSpec
    neck: StageSpec
    head: StageSpec
    branch: StageSpec
    refiner: StageSpec
    generator: StageSpec
    image: PhotoSpec = PhotoSpec()
    region: RegionSpec = RegionSpec()
    labels: LabelSpec = LabelSpec()
    unit: str = "words"

    def __post_init__(self):
        _one_of("unit", self.unit, ("words", "lines"))


@register_kind("selector")
@dataclass(frozen=True)
class SelectorSpec(ModelSpec):
    """A chooser of resolutions: a photograph at `look` times the size at which it would be looked at otherwise ->
    extractor -> mean -> one of `scales`, factors of that size.
    """

    extractor: StageSpec
    image: PhotoSpec = PhotoSpec()
    look: float = 0.3
    scales: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

    def __post_init__(self):
        if len(self.scales) < 2 or list(self.scales) != sorted(set(self.scales)):
            raise UserError(f"scales {list(self.scales)}: it takes two or more, from small to large")
        for name, value in (("look", self.look), *(("scales", scale) for scale in self.scales)):
            _at_least(name, value, 0.05)
            _at_most(name, value, 1.0)


@register_kind("direction")
@dataclass(frozen=True)
class DirectionSpec(ModelSpec):
    """A classifier of lines of text, upright or on their head: picture -> extractor -> mean -> two classes. All
    pictures come to one size.
    """

    extractor: StageSpec
    image: ImageSpec = ImageSpec(3, 48, 192)

    def __post_init__(self):
        _one_of("image.resize", self.image.resize, ("fixed",))


@dataclass(frozen=True)
class GroupSpec:
    """What of the training differs for one group of parameters; None: as for all the others."""

    optimizer: str | None = None
    learning_rate: float | None = None
    betas: tuple[float, float] | None = None
    momentum: float | None = None
    weight_decay: float | None = None

    def __post_init__(self):
        if self.optimizer is not None:
            _one_of("optimizer of a group", self.optimizer, OPTIMIZERS)
        for name in ("learning_rate", "momentum", "weight_decay"):
            if getattr(self, name) is not None:
                _at_least(f"{name} of a group", getattr(self, name), 0)


@dataclass(frozen=True)
class DataSpec:
    """What is learnt from: data sets (`train`, `val`), and what a renderer makes where there is none.

    `kind` names the source (`sources.SOURCES`), `recipe` holds options of its recipe, checked as they are read. The
    rest is for folders of PrIMuS: split files, and whether the distorted pictures are taken.
    """

    kind: str = "words"
    recipe: dict[str, Any] = field(default_factory=dict)
    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    split: str = ""
    val_split: str = ""
    camera: bool = False
    val_camera: bool = False

    def __post_init__(self):
        _one_of("data.kind", self.kind, tuple(sources.SOURCES))
        sources.read_recipe(self.kind, self.recipe, "data.recipe")


@dataclass(frozen=True)
class TrainSpec:
    """How a model is trained. Lengths in optimiser steps, learning rates per step, `weight_decay` decoupled with adamw;
    `clip` is the largest gradient norm (0: none), `ema` the decay of the averaged weights (0: none); pictures of open
    width are bucketed by width within `window` batches, so that little is padding; each sample is used `echo` times,
    where making samples is slower than learning from them; `groups` overrides the optimiser's values for a group of
    parameters that the task names. `augment` allows random changes of pictures while training: those of
    `augmentations` by name (`data_tools.augmentations`) in their order, or else the task's own, which pictures of a
    data set get and rendered ones do not.
    """

    steps: int = 20000
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: str = "cosine"
    warmup: int = 500  # steps, at most a tenth of the run
    drop_every: int = 10000
    drop_factor: float = 0.1
    final_fraction: float = 0.01
    clip: float = 5.0
    ema: float = 0.999
    validate_every: int = 1000
    checkpoint_every: int = 500
    log_every: int = 50
    workers: int = 1
    window: int = 16
    echo: int = 1
    augment: bool = True
    augmentations: tuple[str, ...] = ()
    precision: str = "float32"
    seed: int = 0
    groups: dict[str, GroupSpec] = field(default_factory=dict)

    def __post_init__(self):
        _one_of("train.optimizer", self.optimizer, OPTIMIZERS)
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
        for name in ("learning_rate", "weight_decay", "clip", "warmup", "workers", "seed", "drop_factor"):
            _at_least(f"train.{name}", getattr(self, name), 0)
        _at_least("train.final_fraction", self.final_fraction, 0)
        if not self.learning_rate and any(group.learning_rate for group in self.groups.values()):
            raise UserError("train.learning_rate: 0; a group's rate is relative to it, set it above 0")
        for name, value in (("ema", self.ema), ("momentum", self.momentum), *(("betas", beta) for beta in self.betas)):
            if not 0 <= value < 1:
                raise UserError(f"train.{name}: {value}; it takes 0 or more, below 1")


@dataclass(frozen=True)
class Config:
    """One YAML file: a model, its training and what it learns from; `task` where it is not the model kind's own."""

    model: ModelSpec
    train: TrainSpec = TrainSpec()
    data: DataSpec = DataSpec()
    task: StageSpec | None = None

    @classmethod
    def from_values(cls, values: dict[str, Any], where: str) -> Config:
        """From plain values, those of earlier versions too. Raises UserError."""
        return fill(cls, _upgrade(values), where)


def _upgrade(values: dict[str, Any]) -> dict[str, Any]:
    """Until 2026-11-26 `train.rendered` held the recipe and `train.kinship` the strength of that option."""
    train, model = values.get("train", {}), values.get("model", {})
    if not isinstance(train, dict) or not isinstance(model, dict) or not {"rendered", "kinship"} & set(train):
        return values
    values = {**values, "train": {key: value for key, value in train.items() if key not in ("rendered", "kinship")}}
    if train.get("kinship"):
        values.setdefault("task", {"name": "recognition", "kinship": train["kinship"]})
    if "rendered" in train:
        labels = model.get("labels")
        music = isinstance(labels, dict) and bool(labels.get("vocabulary"))
        values.setdefault("data", {"kind": "scores" if music else "words", "recipe": train["rendered"]})
    return values


def load_config(name: str | Path) -> Config:
    """The configuration of that name in `configs/`, or in the YAML file at that path. Raises UserError."""
    path = CONFIGS / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise UserError(f"--config {name}: no such file or configuration; there are: {', '.join(config_names())}")
    return read_config(path)


def read_config(path: Path) -> Config:
    """The configuration in a YAML file. Raises UserError naming the file."""
    return to_config(read_values(path), path)


def read_values(path: Path) -> Any:
    """What a YAML file says. Raises UserError naming the file."""
    try:
        return yaml.safe_load(path.read_bytes())  # YAML tells UTF-8 from UTF-16 by itself
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path}: not a readable YAML file ({' '.join(str(error).split())})") from error


def to_config(values: Any, path: Path) -> Config:
    """The configuration of what the file `path` says. Raises UserError naming the file."""
    try:
        return from_dict(Config, values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def config_names() -> list[str]:
    """The configurations that come with the project."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))
