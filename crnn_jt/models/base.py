"""What all kinds of models share: modules by kind, fresh weights, and what the rest of the program asks of them."""

from __future__ import annotations

import numpy as np

from crnn_jt import quantised  # noqa: F401  (registers how layers in 8 bits are computed)
from crnn_jt.backend import load_state, nn, state
from crnn_jt.layers import Layer, fresh_state
from crnn_jt.registry import Registry
from crnn_jt.spec import ModelSpec
from crnn_jt.weights import Weights, check
from data_tools.errors import UserError

MODELS = Registry("model kind")


class Model(nn.Module):
    """A model of some kind, built from its spec.

    `task` names how it is trained where a configuration does not; `symbol_rows` are the keys of arrays with a row for
    each symbol of the spec's labels.
    """

    spec: ModelSpec
    task = ""
    symbol_rows: tuple[str, ...] = ()

    def named_layers(self) -> dict[str, Layer]:
        """The layer of each group of keys in the state, by the keys' prefix."""
        raise NotImplementedError

    def freeze(self, arrays: dict[str, np.ndarray]):
        """The model on the CPU kernels with these arrays; raises `freeze.NotCovered` where there is no such form."""
        from crnn_jt.freeze import NotCovered

        raise NotCovered(f"models of the kind {self.spec.kind}")


def construct(spec: ModelSpec) -> Model:
    """The module of a spec, its weights yet to be set. Raises UserError where its stages do not fit together."""
    return MODELS.get(spec.kind)(spec)


def build(spec: ModelSpec, seed: int = 0) -> Model:
    """A model with fresh weights, the same on both backends for the same seed."""
    model = construct(spec)
    load_state(model, fresh_state(model.named_layers(), np.random.default_rng(seed)))
    return model


def restore(weights: Weights, name: str, kind: str = "") -> Model:
    """The model of a weights file, ready to read. Raises UserError where arrays and spec do not fit, or the model is
    not of the `kind` asked for.
    """
    if kind and weights.spec.kind != kind:
        raise UserError(f"{name}: is a {weights.spec.kind}, not a {kind}")
    model = construct(weights.spec)
    check(weights.arrays, state(model), name)
    load_state(model, weights.arrays)
    model.eval()
    return model
