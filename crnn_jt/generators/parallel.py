"""All symbols at once: each place of the text looks at the steps that hold its symbol.

ABINet's position attention (Fang et al., CVPR 2021, section 3.1): a small U-net over the feature map makes the keys,
the places' own codes the queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.blocks import conv_unit
from crnn_jt.decoding.ctc import Reading
from crnn_jt.generators.base import Generator
from crnn_jt.layers import Add, Keep, Layer, Linear, Plan, Positions, Upsample, walk
from crnn_jt.padding import LOWEST
from crnn_jt.places import read_places, score_words, symbol_loss
from crnn_jt.registry import GENERATORS
from crnn_jt.stack import Stack

DOWN = 4
"""Levels of the U-net; each halves the columns, so these come in multiples of 16."""


def plan_keys(features: int, channels: int, rows: int) -> Plan:
    """The U-net: halves rows (but not first, and not odd ones) and columns at each level, then goes back up with sums.

    Of a map one row high it strides along the row only.
    """
    strides, left = [], rows
    for level in range(DOWN):
        strides.append((2 if level and left % 2 == 0 else 1, 2))
        left //= strides[-1][0]
    plan: Plan = ()
    for level, stride in enumerate(strides):
        plan += conv_unit(channels if level else features, channels, stride=stride)
        plan += (Keep(f"level {level}"),) if level < DOWN - 1 else ()
    for level in range(DOWN - 1, 0, -1):
        plan += (Upsample(strides[level]), *conv_unit(channels, channels), Add(f"level {level - 1}"))
    return (*plan, Upsample(strides[0]), *conv_unit(channels, features))


def parallel_pieces(features: int, classes: int, max_length: int) -> dict[str, Layer]:
    """What the head has besides the U-net."""
    places = Positions(features, max_length + 1)
    return {"places": places, "query": Linear(features, features), "head": Linear(features, classes)}


@GENERATORS.register("parallel")
class Parallel(Generator):
    """(T, N, C) -> logits (max_length + 1, N, K), index 0 the end; `rows` is the height of the map that the steps come
    from row by row, `channels` those of the U-net.
    """

    by_place = True
    whole = True
    tiny = {"channels": 4}

    def __init__(self, in_features: int, classes: int, max_length: int, rows: int, channels: int = 64):
        if channels < 1:
            raise ValueError("channels takes 1 or more")
        super().__init__()
        self.features, self.max_length, self.rows = in_features, max_length, rows
        self.add(**parallel_pieces(in_features, classes, max_length))
        self.plan = plan_keys(in_features, channels, rows)
        self.keys = Stack(self.plan)

    def named_layers(self) -> dict[str, Layer]:
        """The pieces by name, the U-net's layers under `keys`."""
        return {**super().named_layers(), **dict(walk(self.plan, "keys."))}

    def look(self, seq, lengths: np.ndarray):
        """What each place sees, (T', N, C), of seq (T, N, C) with `lengths` (N,) valid steps."""
        steps, batch, features = seq.shape
        columns = steps // self.rows
        widths = np.asarray(lengths) // self.rows
        whole = -(-columns // 2**DOWN) * 2**DOWN
        grid = seq.reshape((self.rows, columns, batch, features)).permute(2, 3, 0, 1)  # (N, C, rows, columns)
        inside = (np.arange(whole) < widths[:, None]).astype(np.float32)  # (N, columns)
        if whole > columns:
            grid = ops.concat([grid, ops.zeros((batch, features, self.rows, whole - columns))], 3)
        if not inside.all():
            grid = grid * ops.array(inside[:, None, None])
        own = -(-widths // 2**DOWN) * 2**DOWN  # a picture's own, whatever the batch is as wide as
        keys = self.keys(grid, None if (own == whole).all() else own)
        keys, values = (x.reshape((batch, features, self.rows * whole)) for x in (keys, grid))
        queries = self.query(self.places(ops.zeros((self.max_length + 1, 1, features))))[:, 0]  # (T', C)
        scores = ops.matmul(queries.unsqueeze(0).expand(batch, *queries.shape), keys) * features**-0.5
        if not inside.all():
            hidden = np.tile((1 - inside) * np.float32(LOWEST), (1, self.rows))
            scores = scores + ops.array(hidden[:, None])
        seen = ops.matmul(ops.softmax(scores, 2), values.permute(0, 2, 1))  # (N, T', C)
        return seen.permute(1, 0, 2)

    def emit(self, flow) -> None:
        """Adds itself to a frozen network; what each place sees is kept as `seen`."""
        flow.to_maps(self.rows)
        images, grid = flow.images, flow.value
        images.kept["grid"] = grid
        images.kept["queries"] = images.unused()
        images.network.table(grid, images.kept["queries"], self._queries(flow.state))
        whole = images.unused()
        images.network.fit_columns(grid, whole, multiple=2**DOWN)
        keys = images.emit_plan(self.plan, whole, "generator.keys.")
        own = images.unused(keys)
        images.network.fit_columns(keys, own, like=grid)
        seen = images.unused(own)
        images.network.attention((images.kept.pop("queries"), own, images.kept.pop("grid")), seen, self.features)
        images.kept["seen"] = seen
        flow.value = images.emit_layer(self.named_layers()["head"], "generator.head", seen)

    def _queries(self, state) -> np.ndarray:
        """The queries of all places, (T', C): they depend on the weights alone."""
        weight, bias, places = (state[f"generator.{key}"] for key in ("query.weight", "query.bias", "places.table"))
        return places.astype(np.float64) @ weight.T + bias

    def execute(self, seq, lengths: np.ndarray):
        """Logits (T', N, K)."""
        return self.head(self.look(seq, lengths))

    def losses(self, seq, lengths: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> dict:
        """{"symbols": mean over all symbols and ends of -log p}; targets (N, S) of `sizes` (N,) symbols."""
        return {"symbols": symbol_loss(self.execute(seq, lengths), targets, sizes)}

    def decode(self, log_probs: np.ndarray, lengths: np.ndarray) -> list[Reading]:
        """The likeliest symbol at each place up to the first end; log_probs (T', N, K)."""
        return read_places(log_probs, self.max_length)

    def score(self, seq, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] and end | image n), (N,)."""
        return score_words(self.execute(seq, lengths), words)
