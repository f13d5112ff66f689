"""A refiner that a spec writes down layer by layer: one whose products have 8 bits, for one."""

from __future__ import annotations

from crnn_jt.layers import from_values
from crnn_jt.refiners.base import Refiner
from crnn_jt.registry import REFINERS


@REFINERS.register("plan")
class Planned(Refiner):
    """`plan` is a list of layers of sequences as plain values (`layers.from_values`), the first for `in_features`."""

    tiny = {"plan": [{"layer": "Activation"}]}

    def __init__(self, in_features: int, plan: list):
        super().__init__(from_values(plan), in_features)
