"""Optimisers, schedules, averages: against the rules as published, written down again here in numpy."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from crnn_jt.backend import gradients, ops, parameters
from crnn_jt.models import build
from crnn_jt.optimizers import EMA, Optimizer, Turn, learning_rate
from crnn_jt.spec import GroupSpec, TrainSpec
from tests.crnn_jt import tiny

START = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
RATE = 0.05


def gradient(step: int) -> np.ndarray:
    return np.random.default_rng(step).standard_normal(4) * 3


def adam(p, g, s, t, decay, decoupled=False):
    if decoupled:
        p = p * (1 - RATE * decay)
    else:
        g = g + decay * p
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    return p - RATE * (s["m"] / (1 - 0.9**t)) / (np.sqrt(s["v"] / (1 - 0.99**t)) + 1e-8)


def adadelta(p, g, s, t, decay):  # Zeiler 2012, algorithm 1, rho 0.9, epsilon 1e-6
    g = g + decay * p
    s["g"] = 0.9 * s.get("g", 0) + 0.1 * g**2
    x = g * np.sqrt(s.get("x", 0) + 1e-6) / np.sqrt(s["g"] + 1e-6)
    s["x"] = 0.9 * s.get("x", 0) + 0.1 * x**2
    return p - RATE * x


def rmsprop(p, g, s, t, decay):
    g = g + decay * p
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    return p - RATE * g / (np.sqrt(s["v"]) + 1e-8)


def sgd(p, g, s, t, decay):
    s["m"] = 0.8 * s.get("m", 0) + g + decay * p
    return p - RATE * s["m"]


RULES = {
    "adam": adam,
    "adamw": lambda *a: adam(*a, decoupled=True),
    "adadelta": adadelta,
    "rmsprop": rmsprop,
    "sgd": sgd,
}


@pytest.mark.parametrize("clip", [0.0, 2.0])
@pytest.mark.parametrize("name", RULES)
def test_five_steps_follow_the_published_rule(name, clip):
    """Momenta that share memory, a forgotten bias correction or decay: the trained model would be another."""
    spec = TrainSpec(optimizer=name, weight_decay=0.1, clip=clip, betas=(0.9, 0.99), momentum=0.8)
    parameters = {"a": ops.array(START[:2]), "b": ops.array(START[2:])}
    optimizer, expected, slots = Optimizer(spec, {"weights": parameters}), START.astype(np.float64), {}
    for t in range(1, 6):
        g = gradient(t)
        optimizer.step([ops.array(g[:2].astype(np.float32)), ops.array(g[2:].astype(np.float32))], RATE)
        if clip:
            g = g * min(1.0, clip / np.linalg.norm(g))
        expected = RULES[name](expected, g, slots, t, 0.1)
    found = np.concatenate([ops.numpy(parameters["a"]), ops.numpy(parameters["b"])])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_parameter_still_learns_after_its_update():
    """An update must not stop a parameter's gradient: every step after the first would learn nothing."""
    own = parameters(build(tiny.model("light", "identity")))
    optimizer = Optimizer(TrainSpec(optimizer="sgd"), {"weights": own})
    for _ in range(2):
        found = gradients(sum((value * value).sum() for value in own.values()), list(own.values()))
        assert all(np.abs(ops.numpy(g)).max() > 0 for g, p in zip(found, own.values()) if np.abs(ops.numpy(p)).max())
        optimizer.step(found, 0.01)


def test_a_turn_changes_its_parameters_alone_by_their_own_count():
    """Groups that take turns: Adam corrects by the group's own steps, what has no turn keeps value and moments."""
    spec = TrainSpec(optimizer="adam", learning_rate=RATE, weight_decay=0.1, clip=0.0, betas=(0.9, 0.99))
    given = {"weights": {"a": ops.array(START[:2])}, "alphas": {"b": ops.array(START[2:])}}
    spec = replace(spec, groups={"alphas": GroupSpec(weight_decay=0.0)})
    optimizer = Optimizer(spec, given)
    expected, slots = {"a": START[:2].astype(np.float64), "b": START[2:].astype(np.float64)}, {"a": {}, "b": {}}
    counts = {"a": 0, "b": 0}
    for number, (name, group) in enumerate([("a", "weights"), ("a", "weights"), ("b", "alphas"), ("a", "weights")], 1):
        counts[name] += 1
        turn = Turn(frozenset([name]), {group: counts[name]})
        g = gradient(number)[:2]
        assert list(optimizer.targets(turn)) == [name]
        optimizer.step([ops.array(g.astype(np.float32))], RATE, number, turn)
        expected[name] = adam(expected[name], g, slots[name], counts[name], 0.1 if name == "a" else 0.0)
        for key, own in (("a", given["weights"]), ("b", given["alphas"])):
            np.testing.assert_allclose(ops.numpy(own[key]), expected[key], rtol=1e-5, atol=1e-6)


def test_averages_follow_and_do_not_touch_the_weights():
    """The average is a copy that lags behind; young ones follow faster."""
    values = {"w": ops.array(np.zeros(2, np.float32))}
    average = EMA(0.99, values)
    values["w"] = average.values["w"] = ops.array(np.ones(2, np.float32))
    expected = 0.0
    for step in range(1, 4):
        average.update(step)
        decay = min(0.99, (1 + step) / (10 + step))
        expected = expected * decay + (1 - decay)
    np.testing.assert_allclose(ops.numpy(average.average["w"]), expected, rtol=1e-6)
    np.testing.assert_array_equal(ops.numpy(values["w"]), 1)


def rates(**spec) -> list[float]:
    made = TrainSpec(**{"learning_rate": 1.0, "warmup": 0, "steps": 100, **spec})
    return [learning_rate(made, step, step / 100) for step in range(101)]


def test_constant_and_warm_up():
    """Without a schedule the rate stays; warm-up rises to it in equal steps and does not begin at zero."""
    assert rates(schedule="constant") == [1.0] * 101
    assert rates(schedule="constant", warmup=4)[:6] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    short = rates(schedule="constant", warmup=1000)  # a short run comes to its rate after a tenth
    assert short[5] == 0.5 and short[10:] == [1.0] * 91


def test_step_schedule():
    """The rate falls by the factor every so many steps."""
    found = rates(schedule="step", drop_every=40, drop_factor=0.1)
    assert found[39] == 1.0 and found[40] == pytest.approx(0.1) and found[80] == pytest.approx(0.01)


def test_cosine_schedule():
    """From the full rate to the final fraction, half way in the middle; never below it, even past the end."""
    found = rates(schedule="cosine", final_fraction=0.02)
    assert found[0] == 1.0 and found[50] == pytest.approx(0.51) and found[100] == pytest.approx(0.02)
    assert all(a >= b for a, b in pairwise(found))
    spec = TrainSpec(learning_rate=1.0, warmup=0, schedule="cosine", final_fraction=0.02)
    assert learning_rate(spec, 10**6, 1.7) == pytest.approx(0.02)


def test_one_cycle_schedule():
    """Up for 30% of the run, then down."""
    found = rates(schedule="one-cycle", final_fraction=0.01)
    assert found[0] == pytest.approx(0.04) and found[30] == pytest.approx(1.0) and found[100] == pytest.approx(0.01)
    assert max(found) <= 1.0 and int(np.argmax(found)) == 30
    assert math.isclose(found[65], (1 + 0.01) / 2, rel_tol=1e-6)
