"""Layers of a frozen network that look beyond a pixel and its neighbours: those that see a map's pixels, row by row, as
the steps of a sequence, and the sampler.
"""

from __future__ import annotations

import numpy as np

from crnn_jt.backend.fast import network_fields as fields


class TextLayers:
    """A part of `Network`; each adds a layer that reads numbered values and writes value `target`."""

    def _call(self, name: str, *arguments) -> None:
        raise NotImplementedError

    def layer_norm(self, source: int, target: int, weight: np.ndarray, bias: np.ndarray, eps: float) -> None:
        """Normalisation of each pixel's channels, then · weight + bias, both (channels,)."""
        message = fields.NetworkLayerNorm(source=source, target=target, channels=len(weight), eps=eps)
        self._call("layer_norm", message, weight, bias)

    def softmax(self, source: int, target: int) -> None:
        """Over the channels of each pixel."""
        self._call("softmax", fields.NetworkSoftmax(source=source, target=target))

    def table(self, source: int, target: int, table: np.ndarray, added: bool = False) -> None:
        """A table (steps, channels) for each image, or `added`: x + the table's first rows, pixel by pixel."""
        steps, channels = table.shape
        message = fields.NetworkTable(source=source, target=target, steps=steps, channels=channels, added=added)
        self._call("table", message, table)

    def attention(
        self,
        sources: tuple[int, int, int],
        target: int,
        features: int,
        heads: int = 1,
        first: tuple[int, int, int] = (0, 0, 0),
        lengths: int = -1,
        diagonal: bool = False,
    ) -> None:
        """What the pixels of the first value see of the third where they look for the second: of queries, keys and
        values, `features` channels from `first` on. Value `lengths`, one pixel an image, says how many keys count; with
        `diagonal` query t does not see key t.
        """
        queries, keys, values = sources
        message = fields.NetworkAttention(
            queries=queries,
            keys=keys,
            values=values,
            lengths=lengths,
            target=target,
            heads=heads,
            features=features,
            first_query=first[0],
            first_key=first[1],
            first_value=first[2],
            diagonal=diagonal,
            scale=(features // heads) ** -0.5,
        )
        self._call("attention", message)

    def text_lengths(self, source: int, target: int) -> None:
        """Steps up to the end (class 0) of texts given as chances, one pixel an image; see `correctors.bcn`."""
        self._call("text_lengths", fields.NetworkTextLengths(source=source, target=target))

    def blend(self, share: int, one: int, other: int, target: int) -> None:
        """share · one + (1 - share) · other, all of one shape."""
        self._call("blend", fields.NetworkBlend(share=share, one=one, other=other, target=target))

    def fit_columns(self, source: int, target: int, multiple: int = 0, like: int = -1) -> None:
        """Zero columns after a map's own up to a `multiple`, or no more columns than value `like` has."""
        self._call("fit_columns", fields.NetworkFitColumns(source=source, like=like, target=target, multiple=multiple))

    def sample(
        self,
        source: int,
        target: int,
        size: tuple[int, int],
        places: np.ndarray,
        ways: int = -1,
        spline: np.ndarray | None = None,
        clipped: bool = False,
    ) -> None:
        """The picture read at `places` (height · width, 2) of (across, down) in [-1, 1], zero beyond it. Value `ways`,
        one pixel an image, says how far (across, down) each point of a `spline` (height · width, points) moves: that
        times the spline is added to the places. `clipped`: beyond the picture is what stands at its edge.
        """
        spline = np.zeros((len(places), 0), np.float32) if spline is None else spline
        message = fields.NetworkSample(
            source=source,
            ways=ways,
            target=target,
            height=size[0],
            width=size[1],
            points=spline.shape[1],
            clipped=clipped,
        )
        self._call("sample", message, places, spline)

    def decoder(
        self, source: int, keys: int, target: int, steps: int, gru: bool, arrays: dict[str, np.ndarray]
    ) -> None:
        """Additive attention over a sequence with its keys, symbol by symbol: logits of so many steps. `arrays`, in
        PyTorch's layout with `gates` rows of each unit: query (attention, hidden), energy (attention,), symbols
        (classes + 1, gates · hidden) the gates' part of the symbol before, context (gates · hidden, features), hidden
        (gates · hidden, hidden) with its bias, head (classes, hidden + features) with its head_bias.
        """
        message = fields.NetworkDecoder(
            source=source,
            keys=keys,
            target=target,
            features=arrays["context"].shape[1],
            attention=arrays["query"].shape[0],
            hidden=arrays["query"].shape[1],
            classes=arrays["head"].shape[0],
            steps=steps,
            gru=gru,
        )
        names = ("query", "energy", "symbols", "context", "hidden", "bias", "head", "head_bias")
        self._call("decoder", message, *(arrays[name] for name in names))
