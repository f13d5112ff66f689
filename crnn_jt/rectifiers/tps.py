"""Rectification by a thin-plate spline: a small network says where the text's edges are, the picture is bent straight.

Spatial transformer networks (Jaderberg et al., NIPS 2015) with the spline of Bookstein (PAMI 1989), in the manner of
ASTER (Shi et al., TPAMI 2018, section 3.1) and AutoSTR (Zhang et al., ECCV 2020).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from crnn_jt import layers
from crnn_jt.backend import nn, ops
from crnn_jt.blocks import conv_unit, scale_channels
from crnn_jt.layers import Layer, Linear, MaxPool, Plan
from crnn_jt.modules import module_of
from crnn_jt.padding import fill
from crnn_jt.registry import RECTIFIERS
from crnn_jt.stack import Stack

LOOK = 32, 64
"""What the localisation network sees, whatever the picture's size."""


def edge_points(count: int) -> np.ndarray:
    """Half of `count` points along the upper edge, half along the lower, (count, 2) of (across, down) in [-1, 1]."""
    across = np.linspace(-1, 1, count // 2)
    return np.concatenate([np.stack([across, np.full(count // 2, down)], 1) for down in (-1.0, 1.0)])


def pixel_places(height: int, width: int) -> np.ndarray:
    """The centres of all pixels, row by row, (height · width, 2) of (across, down); the outermost are at -1 and 1."""
    down, across = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([across.ravel(), down.ravel()], 1)


def spline_matrix(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The matrix (M, K) that takes values at `points` (K, 2) to the values of the smoothest surface through them at
    `places` (M, 2): a sum of r² log r² around each point and of a plane.
    """
    ones = np.ones((len(points), 1))
    plane = np.concatenate([ones, points], 1)  # (K, 3)
    whole = np.block([[_bend(points, points), plane], [plane.T, np.zeros((3, 3))]])
    at = np.concatenate([_bend(places, points), np.ones((len(places), 1)), places], 1)  # (M, K + 3)
    return at @ np.linalg.inv(whole)[:, : len(points)]


def _bend(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """r² log r² of each place from each point, 0 where they meet, (M, K)."""
    squares = ((places[:, None] - points[None]) ** 2).sum(2)
    return squares * np.log(np.where(squares > 0, squares, 1))


def localisation_plan(in_channels: int, channels: tuple[int, ...], hidden: int) -> Plan:
    """Six convolutions with poolings between, then all that is left of 32x64 at once: (N, hidden, 1, 1)."""
    plan, before = (), in_channels
    for number, count in enumerate(channels):
        plan += (MaxPool(),) * bool(number) + conv_unit(before, count)
        before = count
    height, width = layers.out_shape(plan, *LOOK)
    return (*plan, *conv_unit(before, hidden, (height, width), padding=(0, 0)))


@RECTIFIERS.register("tps")
class TPS(nn.Module):
    """(N, C, H, W) -> (N, C, out_height, out_width), bent so that `points` points that the network finds come to lie
    along the upper and the lower edge.

    What is learnt are the points' distances from where they lie on the whole picture; they start at zero, so that a
    fresh rectifier only resizes. Of a padded picture its own columns are the whole. `width` scales the channels of the
    localisation network, `hidden` are the features before its last layer. The points lie `margin` of the picture inside
    of its edges. Beyond the picture is grey, or with `repeat_edges` more of its outermost pixels, as ASTER has it.
    """

    tiny: ClassVar[dict[str, Any]] = {"points": 8, "width": 0.125, "hidden": 8, "out_width": 40}

    def __init__(
        self,
        in_channels: int,
        out_height: int = 32,
        out_width: int = 100,
        points: int = 20,
        width: float = 1.0,
        hidden: int = 512,
        margin: float = 0.0,
        repeat_edges: bool = False,
    ):
        super().__init__()
        if points < 4 or points % 2:
            raise ValueError(f"points {points}: it takes an even number, 4 or more")
        if min(out_height, out_width) < 2 or hidden < 1:
            raise ValueError("out_height and out_width take 2 or more, hidden 1 or more")
        if not 0 <= margin < 0.5:
            raise ValueError(f"margin {margin}: it takes 0 or more, below 0.5")
        self.size, self.points, self.repeat_edges = (out_height, out_width), points, repeat_edges
        self.plan = localisation_plan(in_channels, scale_channels(width, 32, 64, 128, 256, 256, 256), hidden)
        self.layer = Linear(hidden, 2 * points, zero=True)
        self.localisation, self.head = Stack(self.plan), module_of(self.layer)
        places = pixel_places(*self.size)
        self._places = places.astype(np.float32)  # (H'W', 2)
        self._spline = spline_matrix((1 - 2 * margin) * edge_points(points), places).astype(np.float32)  # (H'W', K)
        self._look = pixel_places(*LOOK).astype(np.float32)

    def named_layers(self) -> dict[str, Layer]:
        """The localisation network's layers and its last one."""
        return {**dict(layers.walk(self.plan, "localisation.")), "head": self.layer}

    def out_shape(self, height, width) -> tuple[int, int]:
        """(out_height, out_width) for any picture."""
        return self.size

    def execute(self, images, widths: np.ndarray) -> tuple:
        """The rectified images and their widths (N,), all `out_width`."""
        widths = np.asarray(widths)
        same = bool((widths == images.shape[3]).all())
        if not same:
            images = fill(images, widths, 0.0)  # beyond the picture is zero, as the sampler has it beyond the array
        sources = self.sources(images, widths)
        return _sample(images, sources, self.size, widths), np.full(len(widths), self.size[1])

    def emit(self, flow) -> None:
        """Adds itself to a frozen network (`freeze.Flow`) of pictures of one width, as its first stage."""
        images, picture = flow.images, flow.value
        images.kept["picture"] = picture
        look = images.unused()
        images.network.sample(picture, look, LOOK, self._look)
        seen = images.emit_plan(self.plan, look, "rectifier.localisation.")
        ways = images.emit_layer(self.layer, "rectifier.head", seen)
        flow.value = images.unused(ways)
        images.network.sample(picture, flow.value, self.size, self._places, ways, self._spline, self.repeat_edges)
        images.kept.clear()

    def sources(self, images, widths: np.ndarray):
        """Where each pixel of the result is taken from, (N, H'W', 2), in [-1, 1] over each picture's own columns."""
        batch = images.shape[0]
        look = ops.array(np.broadcast_to(self._look, (batch, *self._look.shape)))
        seen = self.localisation(_sample(images, look, LOOK, widths))
        moved = self.head(seen.reshape((batch, -1))).reshape((batch, self.points, 2))
        moved = moved.permute(1, 0, 2).reshape((self.points, 2 * batch))  # (K, N·2)
        bent = ops.matmul(ops.array(self._spline), moved).reshape((-1, batch, 2)).permute(1, 0, 2)
        bent = bent + ops.array(self._places[None])
        return ops.clip(bent, -1, 1) if self.repeat_edges else bent


def _sample(images, places, size: tuple[int, int], widths: np.ndarray):
    """Images read at `places` (N, H'·W', 2), in [-1, 1] over their own columns: (N, C, H', W')."""
    whole = images.shape[3]
    if (widths != whole).any():
        share = (np.maximum(widths - 1, 0) / max(whole - 1, 1))[:, None, None]  # of the array's extent
        factor = np.concatenate([share, np.ones_like(share)], 2).astype(np.float32)
        places = places * ops.array(factor) + ops.array(factor - 1)
    return ops.grid_sample(images, places.reshape((images.shape[0], *size, 2)))
