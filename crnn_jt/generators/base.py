"""What generators share: pieces that are layers, each said once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from crnn_jt.backend import nn
from crnn_jt.layers import Layer, walk_layer
from crnn_jt.modules import module_of


class Generator(nn.Module):
    """(T, N, C) -> logits (T', N, K), and what is read from them.

    A subclass offers `losses(seq, lengths, targets, sizes) -> {name: mean over samples}`, `execute(seq, lengths) ->
    logits` (reading: from the images alone), `decode(log_probs, lengths) -> readings` and `score(seq, lengths, words)
    -> log p(words[n] | image n)`. `framewise` says whether there is one output a step, so that T must hold the label;
    such a generator's `layers()` are a plan on the sequence.
    """

    framewise: ClassVar[bool] = False
    by_place: ClassVar[bool] = False
    """Whether `look(seq, lengths)` gives what each place of the text sees, (T', N, features), and `head` its logits, as
    correctors want it.
    """
    whole: ClassVar[bool] = False
    """Whether the CPU kernels run it too: it adds itself to a frozen network with `emit(flow)` (`freeze.Flow`), which
    then gives logits. Otherwise that ends with the refined sequence.
    """
    tiny: ClassVar[dict[str, Any]] = {}
    """Options small enough for tests and smoke benches."""

    def trim(self, logits: np.ndarray) -> np.ndarray:
        """What counts of a frozen network's logits (T', N, K)."""
        return logits

    def add(self, **pieces: Layer) -> None:
        """Makes each layer's module an attribute of its name."""
        for name, layer in pieces.items():
            setattr(self, name, module_of(layer))
        self._pieces = {**getattr(self, "_pieces", {}), **pieces}

    def named_layers(self) -> dict[str, Layer]:
        """The pieces by name, and what is within them."""
        return {key: one for name, layer in self._pieces.items() for key, one in walk_layer(layer, name)}
