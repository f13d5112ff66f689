"""A network with choices in its plan: what each candidate costs, and what is left of it once the choices are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from crnn_jt import layers
from crnn_jt.layers import Choice, Plan, Shape, to_values
from crnn_jt.search import space
from crnn_jt.spec import RecognizerSpec, StageSpec
from crnn_jt.weights import Weights
from data_tools.errors import UserError

STACK = "extractor.stack."
"""What the keys of an extractor's layers begin with in a recogniser."""


@dataclass(frozen=True)
class Prices:
    """What a picture of one size costs: all that is no choice, and each candidate by its choice's place; in which unit,
    by name, and how many multiply-adds or microseconds one of it is.
    """

    fixed: float
    candidates: dict[int, np.ndarray]
    unit: str = "millions"
    size: float = 1e6

    def cheapest(self) -> float:
        """Of the network that saves wherever it can."""
        return self.fixed + sum(float(own.min()) for own in self.candidates.values())

    def of(self, chosen: Mapping[int, int]) -> float:
        """Of the network with these candidates, by place."""
        return self.fixed + sum(float(own[chosen[place]]) for place, own in self.candidates.items())


def prices_of(plan: Plan, before: Shape) -> Prices:
    """Multiply-adds for a picture of the shape `before`. Raises UserError where there is no choice, or one within a
    layer.
    """
    require_choices(plan)
    fixed, candidates, kept = 0, {}, {}
    for place, layer in enumerate(plan):
        if isinstance(layer, Choice):
            size = before.height, before.width, kept
            candidates[place] = np.array([layers.cost(plan, None, *size) for plan in layer.candidates])
        else:
            fixed += layer.cost(before.height, before.width, kept)
        before = layer.shape(before, kept)
    return Prices(fixed, candidates)


def require_choices(plan: Plan) -> None:
    """Raises UserError where there is no choice, or one within a layer."""
    count = sum(isinstance(layer, Choice) for _, layer in layers.walk(plan))
    if not count or count != sum(isinstance(layer, Choice) for layer in plan):
        raise UserError("a search takes an extractor with choices, each a layer of its plan, none within another layer")


def candidates_of(plan: Plan) -> dict[int, tuple[Plan, ...]]:
    """The candidates of each choice, by its place."""
    return {place: layer.candidates for place, layer in enumerate(plan) if isinstance(layer, Choice)}


def choose(plan: Plan, arrays: Mapping[str, np.ndarray], prefix: str) -> dict[int, int]:
    """The candidate with the largest alpha of each choice, by the choice's place."""
    return {place: int(arrays[f"{prefix}{place}.alphas"].argmax()) for place in candidates_of(plan)}


def resolve_plan(plan: Plan, chosen: Mapping[int, int]) -> tuple[Plan, dict[str, str]]:
    """The plan with the chosen candidates in the places of the choices; and where the arrays of its layers were, old
    place by new one, as {"4": "3.1.0"}.
    """
    found: list = []
    moved: dict[str, str] = {}
    for place, layer in enumerate(plan):
        inner = layer.candidates[chosen[place]] if place in chosen else (layer,)
        for number, one in enumerate(inner):
            moved[str(len(found))] = f"{place}.{chosen[place]}.{number}" if place in chosen else str(place)
            found.append(one)
    return tuple(found), moved


def resolve(weights: Weights) -> Weights:
    """A recogniser with the choices made, its plan in its spec: a weights file like any other. Raises UserError."""
    plan = plan_in(weights.spec)
    chosen = choose(plan, weights.arrays, STACK)
    resolved, moved = resolve_plan(plan, chosen)
    arrays = {key: value for key, value in weights.arrays.items() if not key.startswith(STACK)}
    for new, old in moved.items():
        begin = f"{STACK}{old}."
        own = {key: value for key, value in weights.arrays.items() if key.startswith(begin)}
        arrays |= {f"{STACK}{new}.{key[len(begin) :]}": value for key, value in own.items()}
    spec = replace(weights.spec, extractor=StageSpec("plan", {"plan": to_values(resolved)}))
    return Weights(arrays, spec, weights.info)


def input_shape(model) -> Shape:
    """The shape of what the extractor of a recogniser sees of a picture of its spec's size."""
    image = model.spec.image
    size = image.height, image.width
    return Shape(image.channels, *(size if model.rectifier is None else model.rectifier.out_shape(*size)))


def plan_in(spec: RecognizerSpec) -> Plan:
    """The plan of a recogniser's extractor."""
    from crnn_jt.models import construct

    return construct(spec).extractor.layers()


def name_found(stage: StageSpec, plan: Plan, chosen: Mapping[int, int]) -> StageSpec:
    """The extractor that was found, from the one with choices: by its operations' names where it is of AutoSTR's space,
    else as a plan.
    """
    if stage.name != "autostr":
        return StageSpec("plan", {"plan": to_values(resolve_plan(plan, chosen)[0])})
    operations, numbers = list(stage.options["operations"]), iter(chosen.values())
    for layer, shape in enumerate(space.shapes_of(stage.options.get("path", "ABABB"), len(operations))):
        if operations[layer] == space.ANY:
            operations[layer] = space.operations_for(*shape)[next(numbers)]
    return StageSpec("autostr", {**stage.options, "operations": operations})
