"""The plans that a model of any kind is made of, and the spec that it has with other plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crnn_jt.layers import Layer, Plan, rewrite, to_values
from crnn_jt.models import Model
from crnn_jt.necks.base import Neck
from crnn_jt.sequences import COLUMNS
from crnn_jt.spec import ModelSpec, StageSpec
from crnn_jt.stack import PlanStage
from data_tools.errors import UserError

KINDS = ("recognizer", "detector", "direction")
"""Of models that can be made smaller."""


@dataclass(frozen=True)
class Part:
    """A plan of a stage; its arrays stand under each of the `prefixes` (two branches of one plan are two sets)."""

    plan: Plan
    prefixes: tuple[str, ...]
    first: str = ""
    """The name that stands for the place of the plan's one layer in the keys, if it has one."""

    def keys(self, place: str) -> tuple[str, ...]:
        """The keys in the state of the layer at a place, `0.body.1`."""
        if self.first:
            place = self.first + place[1:]
        return tuple(prefix + place for prefix in self.prefixes)

    def rewrite(self, change: Callable[[str, Layer], Layer]) -> Part:
        """With layers as `change(place, layer)` gives them."""
        return replace(self, plan=rewrite(self.plan, change))


def parts_of(model: Model) -> dict[str, Part]:
    """The plans of a model by the stage's name. What is no plan (decoder, rectifier, corrector) is not among them.
    Raises UserError for a kind of model, or a stage of a detector, that is not covered.
    """
    _check(model)
    found = {}
    for name in ("extractor", "refiner", "neck"):
        stage = getattr(model, name, None)
        if isinstance(stage, PlanStage) and stage.layers():
            found[name] = Part(stage.layers(), (f"{name}.stack.",))
    if hasattr(model.spec, "head"):
        found["head"] = Part(model.head.plan, ("head.shrink.", "head.border."))
    if getattr(getattr(model, "generator", None), "framewise", False):
        found["generator"] = Part(model.generator.layers(), ("generator.",), "head")
    return found


def _check(model: Model) -> None:
    kind = model.spec.kind
    if kind not in KINDS:
        raise UserError(f"compress: a {kind} is not covered; a {', '.join(KINDS)} is")
    if kind == "detector":
        for name, fits in (("neck", isinstance(model.neck, Neck)), ("head", hasattr(model.head, "plan"))):
            if not fits:
                raise UserError(f"compress: the {name} {getattr(model.spec, name).name} is not covered")


def with_parts(model: Model, parts: Mapping[str, Part]) -> ModelSpec:
    """The model's spec with these plans in place of its own."""
    changed = {}
    for name, part in parts.items():
        stage, values = getattr(model.spec, name), {"plan": to_values(part.plan)}
        if name == "extractor":
            changed[name] = StageSpec("plan", values | _ends(model.extractor))
        elif name in ("refiner", "neck"):
            changed[name] = StageSpec("plan", values)
        else:
            changed[name] = StageSpec(stage.name, stage.options | values)
    return replace(model.spec, **changed)


def _ends(extractor) -> dict[str, Any]:
    """What of an extractor is no layer: which maps are taken, how the last one becomes a sequence."""
    taps = {"taps": list(extractor.taps)} if extractor.taps else {}
    return taps | ({} if extractor.sequence is COLUMNS else {"sequence": extractor.sequence.name})
