"""The BiLSTM that trains must compute and learn what the plain one does; else fast training is another training."""

from __future__ import annotations

import os

import numpy as np
import pytest

if os.environ.get("CRNN_BACKEND", "jittor") != "jittor":
    pytest.skip("Jittor's kernels", allow_module_level=True)

from crnn_jt.backend.fast.bilstm import bilstm, jt
from tests.oracle.plan import bilstm as by_definition

SHAPES = [(5, 3, 7, 11), (1, 1, 4, 16), (6, 8, 20, 16)]  # T, N, C, hidden


def arrays(steps, batch, features, hidden, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {
        "x": (steps, batch, features),
        "w_ih": (2, 4 * hidden, features),
        "w_hh": (2, 4 * hidden, hidden),
        "bias": (2, 4 * hidden),
    }
    return {name: (0.4 * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}


def definition(a, lengths):
    """(T, N, 2·hidden) in float64, one sequence at a time, zero after its end."""
    hidden = a["w_hh"].shape[2]
    weights = {}
    for direction, end in enumerate(("", "_reverse")):
        weights |= {f"weight_ih_l0{end}": a["w_ih"][direction], f"weight_hh_l0{end}": a["w_hh"][direction]}
        weights |= {f"bias_ih_l0{end}": a["bias"][direction], f"bias_hh_l0{end}": np.zeros(4 * hidden)}
    out = np.zeros((*a["x"].shape[:2], 2 * hidden))
    for n, length in enumerate(lengths):
        out[:length, n] = by_definition(a["x"][:length, n : n + 1].astype(np.float64), weights)[:, 0]
    return out


def lengths_of(shape, ragged):
    return np.array([1 + (3 * n + 1) % shape[0] for n in range(shape[1])]) if ragged else None


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_is_the_definition(shape, ragged):
    a, lengths = arrays(*shape), lengths_of(shape, ragged)
    out = bilstm(*map(jt.array, a.values()), lengths).numpy()
    expected = definition(a, lengths if ragged else [shape[0]] * shape[1])
    np.testing.assert_allclose(out, expected, atol=2e-6)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_slopes_of_the_definition(shape, ragged):
    a, lengths = arrays(*shape), lengths_of(shape, ragged)
    rng = np.random.default_rng(5)
    towards = rng.standard_normal((*shape[:2], 2 * shape[3])).astype(np.float32)
    given = {name: jt.array(value) for name, value in a.items()}
    loss = (bilstm(*given.values(), lengths) * jt.array(towards)).sum()
    gradients = dict(zip(given, (g.numpy() for g in jt.grad(loss, list(given.values())))))

    ends = lengths if ragged else [shape[0]] * shape[1]
    for name, gradient in gradients.items():  # the slope along a random direction, by central differences in float64
        along, step = rng.standard_normal(a[name].shape), 1e-5
        up, down = ({**a, name: a[name].astype(np.float64) + sign * step * along} for sign in (1, -1))
        slope = ((definition(up, ends) - definition(down, ends)) * towards).sum() / (2 * step)
        assert abs((gradient * along).sum() - slope) <= 1e-4 * max(
            1.0, np.abs(gradient).max() * np.sqrt(gradient.size)
        ), name
