"""Layers that choose and order the channels of maps (N, C, H, W), without weights."""

from __future__ import annotations

from dataclasses import dataclass

from crnn_jt.layers.base import Layer, at_least, expect


@dataclass(frozen=True)
class Slice(Layer):
    """`count` channels from number `first` on: (N, C, H, W) -> (N, count, H, W)."""

    first: int
    count: int

    def __post_init__(self):
        at_least(0, first=self.first)
        at_least(1, count=self.count)

    def channels(self, before: int | None) -> int:
        if before is not None and self.first + self.count > before:
            raise ValueError(f"takes channels up to {self.first + self.count}, there are {before}")
        return self.count


@dataclass(frozen=True)
class Shuffle(Layer):
    """Channels dealt out again: those of `groups` equal groups take turns, so that what the groups say separately meets
    in the next layer (ShuffleNet: Zhang et al., CVPR 2018, section 3.1).
    """

    features: int
    groups: int = 2

    def __post_init__(self):
        at_least(1, features=self.features, groups=self.groups)
        if self.features % self.groups:
            raise ValueError(f"groups {self.groups}: not a divisor of {self.features}")

    def channels(self, before: int | None) -> int:
        expect("channels", self.features, before)
        return self.features
