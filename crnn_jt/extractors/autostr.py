"""Backbones of AutoSTR's search space, and ASTER's, which stands in it too."""

from __future__ import annotations

from crnn_jt.blocks import aster_unit, conv_unit, scale_channels
from crnn_jt.extractors.base import Extractor
from crnn_jt.registry import EXTRACTORS
from crnn_jt.search.space import PUBLISHED, WIDTHS, plan_of, strides_of


@EXTRACTORS.register("autostr")
class AutoSTR(Extractor):
    """Operations on a downsampling path (`search.space`; Zhang et al., ECCV 2020); by default the published ones, which
    make 512x1x25 of 32x100. An operation "any" is left to a search. `width` scales all channels.
    """

    tiny = {"operations": ["k3e1", "k3e1", "residual", "k5e3", "k3e1"], "width": 0.125}

    def __init__(
        self, in_channels: int = 3, path: str = "ABABB", operations: tuple[str, ...] = PUBLISHED, width: float = 1.0
    ):
        self.path, self.operations = path, operations
        super().__init__(plan_of(path, operations, in_channels, scale_channels(width, *WIDTHS)), in_channels)


@EXTRACTORS.register("aster")
class Aster(Extractor):
    """Forty-five convolutions in residual units of five stages; 32x100 becomes 512x1x25 (ASTER: Shi et al., TPAMI 2018,
    table 1). `width` scales all channels; a `path` other than ASTER's has the stages' strides in another order.
    """

    tiny = {"units": [1, 1, 1, 1, 1], "width": 0.125}

    def __init__(
        self,
        in_channels: int = 3,
        units: tuple[int, ...] = (3, 4, 6, 6, 3),
        width: float = 1.0,
        path: str = "AABBB",
    ):
        if len(units) != len(WIDTHS) or min(units) < 1:
            raise ValueError(f"units {units}: it takes {len(WIDTHS)} numbers, 1 or more each")
        before, *_ = channels = scale_channels(width, *WIDTHS)
        plan = conv_unit(in_channels, before)
        for count, after, stride in zip(units, channels, strides_of(path, len(WIDTHS))):
            plan += aster_unit(before, after, stride)
            plan += aster_unit(after, after) * (count - 1)
            before = after
        super().__init__(plan, in_channels)
