"""A CRNN and an attention decoder written down a second time, in numpy and float64, from the papers.

Independent of the project's modules but for the keys of a state and `plan.evaluate`'s layers by definition.
"""

from __future__ import annotations

import numpy as np

from tests.oracle.plan import bilstm


def convolve(x: np.ndarray, weight: np.ndarray, padding: int) -> np.ndarray:
    """x (N, C, H, W), weight (O, C, k, k) -> (N, O, H', W'), by sums over shifted images."""
    size = weight.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = x.shape[2] - size + 1, x.shape[3] - size + 1
    out = np.zeros((len(x), len(weight), height, width))
    for i in range(size):
        for j in range(size):
            out += np.einsum("nchw,oc->nohw", x[:, :, i : i + height, j : j + width], weight[:, :, i, j])
    return out


def halve(x: np.ndarray) -> np.ndarray:
    """2x2 max pooling."""
    n, c, h, w = x.shape
    return x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def halve_height(x: np.ndarray) -> np.ndarray:
    """2x2 max pooling, stride (2, 1), one column of padding at both sides: W becomes W + 1."""
    rows = np.maximum(x[:, :, 0::2], x[:, :, 1::2])
    low = np.full((*rows.shape[:3], 1), -np.inf)
    return np.maximum(np.concatenate([low, rows], 3), np.concatenate([rows, low], 3))


def crnn(images: np.ndarray, state: dict[str, np.ndarray]) -> np.ndarray:
    """The CRNN paper's network (table 1), images (N, 1, 32, W) -> logits (T, N, K)."""
    x, state = images.astype(np.float64), {key: value.astype(np.float64) for key, value in state.items()}

    def unit(x, position, norm=False, padding=1):
        key = f"extractor.stack.{position}."
        x = convolve(x, state[f"{key}weight"], padding)
        if not norm:
            return np.maximum(x + state[f"{key}bias"][:, None, None], 0)
        scale, shift, mean, var = (
            state[f"extractor.stack.{position + 1}.{name}"][:, None, None]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        return np.maximum((x - mean) / np.sqrt(var + 1e-5) * scale + shift, 0)

    x = halve(unit(x, 0))
    x = halve(unit(x, 3))
    x = halve_height(unit(unit(x, 6, norm=True), 9))
    x = halve_height(unit(unit(x, 12, norm=True), 15))
    x = unit(x, 18, norm=True, padding=0)  # (N, C, 1, T)
    sequence = x[:, :, 0].transpose(2, 0, 1)  # (T, N, C)
    for position in (0, 2):
        names = [key for key in state if key.startswith(f"refiner.stack.{position}.")]
        sequence = bilstm(sequence, {name.rsplit(".", 1)[1]: state[name] for name in names})
        if position == 0:
            sequence = sequence @ state["refiner.stack.1.weight"].T + state["refiner.stack.1.bias"]
    return sequence @ state["generator.head.weight"].T + state["generator.head.bias"]


def attend(sequence: np.ndarray, length: int, state: dict[str, np.ndarray], symbols: list[int]) -> np.ndarray:
    """Additive attention over one sequence (T, C) of which `length` steps count; logits (len(symbols) + 1, K).

    e_i = w · tanh(W s + V h_i + b); the context is the mean of h under softmax(e); an LSTM cell takes the previous
    symbol and the context; the logits come from its output and the context (Bahdanau et al. 2015, ASTER).
    """
    state = {key.removeprefix("generator."): value.astype(np.float64) for key, value in state.items()}
    memory = sequence[:length].astype(np.float64)
    keys = memory @ state["keys.weight"].T + state["keys.bias"]
    h = c = np.zeros(state["query.weight"].shape[1])
    classes = len(state["head.weight"])
    outputs = []
    for previous in [classes, *symbols]:
        energy = np.tanh(keys + state["query.weight"] @ h) @ state["energy.weight"][0]
        share = np.exp(energy - energy.max())
        context = (share / share.sum()) @ memory
        given = np.concatenate([state["embedding.weight"][previous], context])
        gates = state["cell.weight_ih"] @ given + state["cell.bias_ih"] + state["cell.weight_hh"] @ h
        i, f, g, o = np.split(gates + state["cell.bias_hh"], 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        outputs.append(state["head.weight"] @ np.concatenate([h, context]) + state["head.bias"])
    return np.stack(outputs)
