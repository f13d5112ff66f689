"""No refinement: the generator sees the extractor's vectors as they are."""

from __future__ import annotations

from crnn_jt.refiners.base import Refiner
from crnn_jt.registry import REFINERS


@REFINERS.register("identity")
class Identity(Refiner):
    """(T, N, C) -> (T, N, C)."""

    def __init__(self, in_features: int):
        super().__init__((), in_features)
