"""A neck that a spec writes down layer by layer: what pruning left, what has 8 bits."""

from __future__ import annotations

from typing import Any, ClassVar

from crnn_jt.layers import from_values
from crnn_jt.necks.base import Neck
from crnn_jt.registry import NECKS


@NECKS.register("plan")
class Planned(Neck):
    """`plan` is a list of layers as plain values (`layers.from_values`) that sees the maps as `c0`, `c1` …"""

    tiny: ClassVar[dict[str, Any]] = {"plan": [{"layer": "Recall", "name": "c0"}]}

    def __init__(self, channels: tuple[int, ...], plan: list):
        super().__init__(channels, from_values(plan))
