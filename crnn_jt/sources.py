"""Where samples come from when no data set is named: renderers by name, each with a recipe of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from crnn_jt.strict import from_dict


def _nothing(model) -> dict[str, Any]:
    return {}


def _score_options(model) -> dict[str, Any]:
    return {"encoding": model.labels.vocabulary, "frame": model.image.frame or "ink"}


@dataclass(frozen=True)
class Source:
    """A renderer: the class `reader` of a module takes (seed, size, recipe), the recipe being its class `Recipe`.

    `training_only` are options that make training easier and judging unfair; `options` are those that follow from the
    model; `validation` is how many samples a validation has.
    """

    module: str
    reader: str
    validation: int
    training_only: tuple[str, ...] = ()
    options: Callable[[Any], dict[str, Any]] = _nothing


SOURCES = {
    "words": Source("data_tools.words", "RenderedWords", 1000, ("ease_in",)),
    "lines": Source("data_tools.lines", "RenderedLines", 600, ("ease_in",)),
    "scenes": Source("data_tools.photos", "RenderedScenes", 200),
    "scores": Source("data_tools.scores", "RenderedScores", 400, ("ease_in", "even"), _score_options),
}


def read_recipe(kind: str, values: dict[str, Any], where: str):
    """The recipe of a source from plain values. Raises UserError naming the key inside `where`."""
    return from_dict(import_module(SOURCES[kind].module).Recipe, values, where)


def render(data, model, seed: int, size: int, training: bool = False, **changes):
    """A reader of `size` rendered samples as a `DataSpec` says, for a model's spec; `changes` to its recipe."""
    source = SOURCES[data.kind]
    recipe = {name: value for name, value in data.recipe.items() if training or name not in source.training_only}
    made = read_recipe(data.kind, recipe | source.options(model) | changes, "data.recipe")
    return getattr(import_module(source.module), source.reader)(seed, size, made)
