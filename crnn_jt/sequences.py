"""How a feature map (N, C, H, W) becomes a sequence (T, N, D): which axes are the steps, which the features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sequence:
    """One way of reading a feature map.

    `order` is the map's four axes as they are put: those before axis 0, the batch, become the steps T, those after it
    the features D. `kernels` says whether a frozen network (`freeze`) can end this way.
    """

    name: str
    order: tuple[int, int, int, int]
    kernels: bool = False

    @property
    def open_width(self) -> bool:
        """Whether images of any width can be read, and padded ones in a batch.

        For that the width has to be the outermost axis of the steps: then an image's own steps come first, and the
        features do not depend on its width.
        """
        return self.order[0] == 3

    def to_sequence(self, features):
        """(N, C, H, W) -> (T, N, D)."""
        batch, channels, height, width = features.shape
        shape = (self.steps(channels, height, width), batch, self.features(channels, height, width))
        return features.permute(*self.order).reshape(shape)

    def steps(self, channels: int, height: int, width):
        """T for a map of this size; the width may be an integer array (the widths of a batch) where it is open."""
        return self._product(self.order[: self.order.index(0)], channels, height, width)

    def features(self, channels: int, height: int, width: int) -> int:
        """D for a map of this size."""
        return self._product(self.order[self.order.index(0) + 1 :], channels, height, width)

    @staticmethod
    def _product(axes: tuple[int, ...], *sizes):
        found = 1
        for axis in axes:
            found = found * sizes[axis - 1]
        return found


COLUMNS = Sequence("columns", (3, 0, 1, 2), kernels=True)
"""Each column of the map is a step, the usual way: T = W, D = C·H."""
CHANNELS = Sequence("channels", (1, 0, 2, 3))
"""Each channel, which sees the whole image, is a step: T = C, D = H·W."""
GRID = Sequence("grid", (2, 3, 0, 1), kernels=True)
"""Each place is a step, row by row: T = H·W, D = C."""
