"""An extractor that a spec writes down layer by layer: what a search found, what pruning left, what has 8 bits."""

from __future__ import annotations

from crnn_jt.extractors.base import Extractor
from crnn_jt.layers import from_values
from crnn_jt.registry import EXTRACTORS
from crnn_jt.sequences import CHANNELS, COLUMNS, GRID

SEQUENCES = {one.name: one for one in (COLUMNS, CHANNELS, GRID)}


@EXTRACTORS.register("plan")
class Planned(Extractor):
    """`plan` is a list of layers as plain values (`layers.from_values`), the first for `in_channels` channels. `taps`
    are the places after which a detector takes a map, `sequence` says how the map of a recogniser becomes one.
    """

    tiny = {
        "plan": [
            {"layer": "Conv", "in_channels": 1, "out_channels": 4, "stride": [4, 4]},
            {"layer": "Activation"},
            {"layer": "MaxPool", "kernel": [8, 1], "stride": [8, 1]},
        ]
    }

    def __init__(self, plan: list, in_channels: int = 1, taps: tuple[int, ...] = (), sequence: str = COLUMNS.name):
        super().__init__(from_values(plan), in_channels)
        if sequence not in SEQUENCES:
            raise ValueError(f"sequence {sequence!r}: it takes {', '.join(SEQUENCES)}")
        if any(not 0 <= tap < len(self.plan) for tap in taps):
            raise ValueError(f"taps {list(taps)}: they take places in the plan, 0 to {len(self.plan) - 1}")
        self.taps, self.sequence = taps, SEQUENCES[sequence]
