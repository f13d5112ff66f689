"""Generators: losses are the negative log likelihoods that they claim to be, and what is read is what is likeliest."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.backend import load_state, no_grad, ops, state
from crnn_jt.registry import GENERATORS
from data_tools.errors import UserError
from tests.crnn_jt import tiny
from tests.oracle.ctc import labelings

TARGETS, SIZES = np.array([[1, 2], [2, 2], [1, 0]]), np.array([2, 2, 1])


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_ctc_is_the_sum_over_all_paths():
    """Loss and score against brute-force enumeration, repeated symbols and differing lengths included."""
    logits = np.random.default_rng(0).standard_normal((5, 3, 3)).astype(np.float32)
    lengths = np.array([5, 4, 2])
    made = GENERATORS.build("ctc", {}, in_features=3, classes=3, max_length=2)
    load_state(made, {"head.weight": np.eye(3), "head.bias": np.zeros(3)})
    expected = [
        np.log(labelings(softmax(logits[: lengths[n], n].astype(np.float64)))[tuple(TARGETS[n][: SIZES[n]])])
        for n in range(3)
    ]
    with no_grad():
        loss = float(ops.numpy(made.losses(ops.array(logits), lengths, TARGETS, SIZES)["ctc"]).sum())
        scores = made.score(ops.array(logits), lengths, [[1, 2], [2, 2], [1]])
    assert loss == pytest.approx(-np.mean(expected), rel=1e-4)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


DECODERS = ["attention", "attention, gru", "encoder_decoder"]


def decoder(name: str):
    """With its small options, for four classes and words of two."""
    return GENERATORS.build(name.split(",")[0], tiny.GENERATORS[name], in_features=16, classes=4, max_length=2)


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_lose_what_they_give_the_label_and_its_end(name):
    """The loss is -log p of every symbol and the end, mean over samples; padding behind the end costs nothing."""
    made = decoder(name)
    rng = np.random.default_rng(0)
    load_state(made, {key: rng.standard_normal(value.shape) for key, value in sorted(state(made).items())})
    made.eval()
    sequence, lengths = rng.standard_normal((10, 3, 16)).astype(np.float32), np.array([10, 10, 10])
    with no_grad():
        logits = made.force(ops.array(sequence), lengths, TARGETS)
        losses = made.losses(ops.array(sequence), lengths, TARGETS, SIZES)
        loss = float(ops.numpy(losses["symbols"]).sum())
        scores = made.score(ops.array(sequence), lengths, [[1, 2], [2, 2], [1]])
    likely = np.log(softmax(ops.numpy(logits).astype(np.float64)))
    wanted = [[1, 2, 0], [2, 2, 0], [1, 0]]
    expected = [sum(likely[t, n, symbol] for t, symbol in enumerate(word)) for n, word in enumerate(wanted)]
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    assert loss == pytest.approx(-np.mean(expected), rel=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_what_follows_depends_on_the_symbol_before(name):
    """Without feedback of the previous symbol a decoder cannot spell."""
    made = decoder(name)
    rng = np.random.default_rng(0)
    load_state(made, {key: rng.standard_normal(value.shape) for key, value in sorted(state(made).items())})
    sequence, lengths = rng.standard_normal((10, 1, 16)).astype(np.float32), np.array([10])
    with no_grad():
        first, second = (
            ops.numpy(made.force(ops.array(np.repeat(sequence, 3, 1)), np.repeat(lengths, 3), np.array([[k, 0]] * 3)))
            for k in (1, 3)
        )
    np.testing.assert_allclose(first[0], second[0], rtol=1e-5)
    assert np.abs(first[1] - second[1]).max() > 0.01


def test_a_decoded_text_ends_at_its_end_symbol():
    """What a decoder says after its end, as batch mates go on, belongs to nobody."""
    made = GENERATORS.build("attention", tiny.GENERATORS["attention"], in_features=16, classes=4, max_length=3)
    path = np.array([[1, 0, 2], [2, 3, 0], [0, 1, 3], [3, 1, 1]])  # (T', N)
    log_probs = np.log(np.where(np.arange(4) == path[:, :, None], 0.7, 0.1))
    readings = made.decode(log_probs, np.full(3, 10))
    assert [reading.indices for reading in readings] == [(1, 2), (), (2,)]
    assert [reading.confidence for reading in readings] == pytest.approx([0.7**3, 0.7, 0.7**2])
    assert [len(reading.character_confidences) for reading in readings] == [2, 0, 1]


def test_a_gated_recurrent_unit_is_the_published_one():
    """One step of attention with a GRU against its equations (Cho et al., 2014, as PyTorch and Jittor have them)."""
    made = decoder("attention, gru")
    rng = np.random.default_rng(0)
    arrays = {key: rng.standard_normal(value.shape) for key, value in sorted(state(made).items())}
    load_state(made, arrays)
    sequence, symbols, h = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3, 16), (3, 4), (3, 8)))
    with no_grad():
        memory, _ = made.begin(ops.array(sequence), np.full(3, 5))
        logits, (found,) = made.step(memory, (ops.array(h),), ops.array(symbols))
    keys = sequence @ arrays["keys.weight"].T + arrays["keys.bias"]
    energy = np.tanh(keys + h @ arrays["query.weight"].T) @ arrays["energy.weight"].T
    context = (softmax(energy[:, :, 0].T)[:, :, None] * sequence.transpose(1, 0, 2)).sum(1)
    x = np.concatenate([symbols, context], 1)
    given = np.split(x @ arrays["cell.weight_ih"].T + arrays["cell.bias_ih"], 3, 1)
    kept = np.split(h @ arrays["cell.weight_hh"].T + arrays["cell.bias_hh"], 3, 1)
    r, z = (1 / (1 + np.exp(-a - b)) for a, b in zip(given[:2], kept[:2]))
    expected = (1 - z) * np.tanh(given[2] + r * kept[2]) + z * h
    np.testing.assert_allclose(ops.numpy(found), expected, rtol=1e-3, atol=1e-4)
    head = np.concatenate([expected, context], 1) @ arrays["head.weight"].T + arrays["head.bias"]
    np.testing.assert_allclose(ops.numpy(logits), head, rtol=1e-3, atol=1e-3)


def test_an_unknown_cell_is_refused():
    with pytest.raises(UserError, match="generator attention: cell 'rnn': it takes lstm or gru"):
        GENERATORS.build("attention", {"cell": "rnn"}, in_features=16, classes=4, max_length=2)
