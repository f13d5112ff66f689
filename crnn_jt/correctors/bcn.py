"""ABINet's language model and its loop (Fang et al., "Read Like Humans", CVPR 2021, sections 3.2 and 3.3).

Autonomous: it gets chances, not features, and no gradient goes back into vision. Bidirectional: each place sees all but
itself, a cloze. Iterative: what vision and language together say is corrected again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_jt.backend import nn, ops
from crnn_jt.blocks import feed_forward
from crnn_jt.layers import CrossAttention, Dropout, Layer, LayerNorm, Linear, Plan, Positions, Residual, walk
from crnn_jt.modules import module_of
from crnn_jt.places import END, score_words, symbol_loss
from crnn_jt.registry import CORRECTORS
from crnn_jt.stack import Stack


def plan_cloze(features: int, depth: int, heads: int, hidden: int, dropout: float) -> Plan:
    """Layers of cross-attention to the kept text, each place but its own, and feed-forward nets; no self-attention,
    through which a place would see itself after all.
    """
    drop = (Dropout(dropout),) if dropout else ()
    layer = (
        Residual((CrossAttention(features, heads, diagonal=True), *drop)),
        LayerNorm(features),
        Residual(feed_forward(features, hidden, dropout)),
        LayerNorm(features),
    )
    return layer * depth


def bcn_pieces(features: int, vision: int, classes: int, max_length: int) -> dict[str, Layer]:
    """What there is besides the layers: of language, and of the fusion with vision's features."""
    return {
        "embed": Linear(classes, features, bias=False),
        "places": Positions(features, max_length + 1),
        "head": Linear(features, classes),
        "gate": Linear(features + vision, features),
        "fused": Linear(features, classes),
    }


@CORRECTORS.register("bcn")
class BCN(nn.Module):
    """The bidirectional cloze network with gated fusion, `iterations` times.

    For generators that answer by place and show what each place sees (`parallel`), of `features` features, which are
    then the language model's too. Raises ValueError for others, and for options without sense.
    """

    tiny = {"depth": 1, "heads": 1, "hidden": 8, "dropout": 0.0, "iterations": 2}
    fusion = ("gate", "fused")
    """The pieces that language alone does without."""

    def __init__(
        self,
        generator: nn.Module,
        classes: int,
        max_length: int,
        depth: int = 4,
        heads: int = 8,
        hidden: int = 2048,
        dropout: float = 0.1,
        iterations: int = 3,
    ):
        if not generator.by_place:
            raise ValueError(
                f"corrects generators that answer by place (parallel); {type(generator).__name__} does not"
            )
        if min(depth, heads, hidden, iterations) < 1:
            raise ValueError("depth, heads, hidden and iterations take 1 or more")
        super().__init__()
        features = generator.features
        self.max_length, self.iterations, self.features = max_length, iterations, features
        self._pieces = bcn_pieces(features, features, classes, max_length)
        for name, layer in self._pieces.items():
            setattr(self, name, module_of(layer))
        self.plan = plan_cloze(features, depth, heads, hidden, dropout)
        self.cloze = Stack(self.plan)

    def named_layers(self) -> dict[str, Layer]:
        """The pieces by name, the language model's layers under `cloze`."""
        return {**self._pieces, **dict(walk(self.plan, "cloze."))}

    def execute(self, generator, seq, lengths: np.ndarray):
        """Logits (T', N, K) after the last iteration, of a refined sequence (T, N, C)."""
        return self.iterate(generator, seq, lengths)[2][-1]

    def iterate(self, generator, seq, lengths: np.ndarray, places: int | None = None) -> tuple:
        """Logits (T', N, K) of vision, and of language and both together after each iteration, of the first `places`
        (None: all).
        """
        seen = generator.look(seq, lengths)[:places]
        vision = generator.head(seen)
        languages, fusions = [], [vision]
        for _ in range(self.iterations):
            told = self.spell(ops.stop_gradient(ops.softmax(fusions[-1], 2)))
            gate = ops.sigmoid(self.gate(ops.concat([told, seen], 2)))
            languages.append(self.head(told))
            fusions.append(self.fused(gate * seen + (1 - gate) * told))
        return vision, languages, fusions[1:]

    def emit(self, flow) -> None:
        """Adds itself to a frozen network after a generator by place, whose `seen` is kept; see `iterate`."""
        from crnn_jt.freeze.places import LENGTHS, emit_product

        images, state = flow.images, flow.state
        kept, network = images.kept, images.network
        gate = state["corrector.gate.weight"]  # of what is told, then of what is seen
        kept["places"] = images.unused(flow.value)
        network.table(flow.value, kept["places"], state["corrector.places.table"])
        kept["logits"] = flow.value
        kept["gate"] = emit_product(images, kept["seen"], (), gate[:, self.features :], state["corrector.gate.bias"])
        for _ in range(self.iterations):
            chances = images.unused()
            network.softmax(kept["logits"], chances)
            kept[LENGTHS.format("memory")] = images.unused(chances)
            network.text_lengths(chances, kept[LENGTHS.format("memory")])
            kept["memory"] = images.emit_layer(self._pieces["embed"], "corrector.embed", chances, addend="places")
            told = images.emit_plan(self.plan, kept["places"], "corrector.cloze.")
            share = emit_product(
                images, told, (told,), gate[:, : self.features], np.zeros(len(gate)), kept["gate"], "sigmoid"
            )
            mixed = images.unused(told, share)
            network.blend(share, kept["seen"], told, mixed)
            kept["logits"] = images.emit_layer(self._pieces["fused"], "corrector.fused", mixed)
        flow.value = kept["logits"]

    def correct(self, chances):
        """Logits (T', N, K) of language alone, of a text given as chances (T', N, K)."""
        return self.head(self.spell(chances))

    def spell(self, chances):
        """What language makes of a text given as chances (T', N, K): features (T', N, C)."""
        steps, batch, _ = chances.shape
        ended = ops.numpy(ops.argmax(chances, 2)) == END  # (T', N)
        sizes = np.where(ended.any(0), ended.argmax(0) + 1, steps).clip(min(2, steps))
        memory = self.places(self.embed(chances)), sizes
        queries = self.places(ops.zeros((steps, batch, self.features)))
        return self.cloze(queries, None, {"memory": memory})

    def losses(self, generator, seq, lengths, targets: np.ndarray, sizes: np.ndarray) -> dict:
        """{"vision", "language", "fusion"}: means over all symbols and ends of -log p, the last two over iterations."""
        vision, *told = self.iterate(generator, seq, lengths, targets.shape[1] + 1)  # nothing is learnt of later ones
        found = {"vision": symbol_loss(vision, targets, sizes)}
        for name, logits in zip(("language", "fusion"), told):
            found[name] = sum(symbol_loss(one, targets, sizes) for one in logits) / self.iterations
        return found

    def score(self, generator, seq, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] and end | image n), (N,)."""
        return score_words(self.execute(generator, seq, lengths), words)
