"""Attention: at each symbol the decoder looks at the steps that matter."""

from __future__ import annotations

import numpy as np

from crnn_jt.backend import ops
from crnn_jt.generators.decoder import Decoder
from crnn_jt.layers import GRUCell, Linear, LSTMCell
from crnn_jt.registry import GENERATORS

CELLS = {"lstm": LSTMCell, "gru": GRUCell}
_ARRAYS = (
    *("embedding.weight", "query.weight", "energy.weight", "head.weight", "head.bias"),
    *("cell.weight_ih", "cell.weight_hh", "cell.bias_ih", "cell.bias_hh"),
)


@GENERATORS.register("attention")
class Attention(Decoder):
    """Additive attention with feedback of the previous symbol, e = w · tanh(W s + V h + b) (Bahdanau et al., ICLR 2015;
    in the manner of ASTER: Shi et al., TPAMI 2018). `cell` is lstm or gru, as ASTER has it.
    """

    whole = True
    tiny = {"hidden": 8, "attention": 8, "embedding": 4}

    def __init__(
        self,
        in_features: int,
        classes: int,
        max_length: int,
        hidden: int = 256,
        attention: int = 256,
        embedding: int = 64,
        cell: str = "lstm",
    ):
        if min(hidden, attention, embedding) < 1:
            raise ValueError("hidden, attention and embedding take 1 or more")
        if cell not in CELLS:
            raise ValueError(f"cell {cell!r}: it takes {' or '.join(CELLS)}")
        super().__init__(classes, max_length, embedding)
        self.add(
            keys=Linear(in_features, attention),
            query=Linear(hidden, attention, bias=False),
            energy=Linear(attention, 1, bias=False),
            cell=CELLS[cell](embedding + in_features, hidden),
            head=Linear(hidden + in_features, classes),
        )
        self.hidden, self.gru = hidden, cell == "gru"

    def emit(self, flow) -> None:
        """Adds itself to a frozen network."""
        flow.to_maps(1)
        images, sequence = flow.images, flow.value
        images.kept["sequence"] = sequence
        keys = images.emit_layer(self.named_layers()["keys"], "generator.keys", sequence)
        flow.value = images.unused(keys)
        arrays = self._decoder_arrays(flow.state)
        images.network.decoder(sequence, keys, flow.value, self.max_length + 1, self.gru, arrays)

    def _decoder_arrays(self, state) -> dict[str, np.ndarray]:
        """As `Network.decoder` takes them; what depends on the symbol before alone is multiplied out."""
        own = {key: np.asarray(state[f"generator.{key}"], np.float64) for key in _ARRAYS}
        embedding, seen = own["embedding.weight"], own["cell.weight_ih"]
        symbols, context = np.split(seen, [embedding.shape[1]], 1)
        return {
            "query": own["query.weight"],
            "energy": own["energy.weight"][0],
            "symbols": embedding @ symbols.T + own["cell.bias_ih"],
            "context": context,
            "hidden": own["cell.weight_hh"],
            "bias": own["cell.bias_hh"],
            "head": own["head.weight"],
            "head_bias": own["head.bias"],
        }

    def begin(self, seq, lengths: np.ndarray) -> tuple:
        """Memory: the sequence, its keys and a mask (T, N, 1) of the valid steps; the first state is zero: (h, c) of an
        LSTM, (h,) of a GRU.
        """
        # -1e9 leaves a step after an image's last no share of the softmax
        outside = (np.arange(seq.shape[0])[:, None] >= np.asarray(lengths))[:, :, None]
        zero = ops.zeros((seq.shape[1], self.hidden))
        return (seq, self.keys(seq), ops.array(outside * np.float32(-1e9))), (zero,) if self.gru else (zero, zero)

    def step(self, memory, state, symbols) -> tuple:
        seq, keys, mask = memory
        query = self.query(state[0])
        energy = self.energy(ops.tanh(keys + query.unsqueeze(0))) + mask  # (T, N, 1)
        context = (ops.softmax(energy, 0) * seq).sum(0)  # (N, C)
        seen = ops.concat([symbols, context], 1)
        state = (self.cell(seen, state[0]),) if self.gru else self.cell(seen, state)
        return self.head(ops.concat([state[0], context], 1)), state
