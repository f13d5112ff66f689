"""Optimisers, schedules and weight averaging, one definition for both backends, so that a resumed run is exact."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from crnn_jt.backend import assign, fused, no_grad, ops
from crnn_jt.spec import GroupSpec, TrainSpec
from data_tools.errors import UserError


class Turn(NamedTuple):
    """What one step changes where that is not everything: parameters by name, and which step of its own that is for a
    group (from 1) where it is not the run's.
    """

    names: frozenset[str]
    counts: dict[str, int]


class Optimizer:
    """Adam, AdamW, Adadelta, RMSprop or SGD with momentum over groups of named parameters.

    `groups` holds the parameters by group and name; what `spec.groups` says of a group overrides the spec for it.
    `parameters` are those of all groups in order, `state` their moments and accumulators, plain arrays by name.
    """

    def __init__(self, spec: TrainSpec, groups: dict[str, dict]):
        _check_groups(spec, groups)
        self.spec, self.steps = spec, 0
        self.groups = {name: _Group(spec, spec.groups.get(name), own) for name, own in groups.items()}
        self.parameters = {name: value for own in groups.values() for name, value in own.items()}
        self.state = {
            f"{part}/{name}": ops.array(np.zeros(tuple(value.shape), np.float32))
            for group in self.groups.values()
            for part in _STATE[group.rule]
            for name, value in group.parameters.items()
        }

    def targets(self, turn: Turn | None = None) -> dict:
        """The parameters of a turn by name, in order; of None all."""
        return {name: value for name, value in self.parameters.items() if turn is None or name in turn.names}

    def step(self, gradients: list, learning_rate: float, number: int | None = None, turn: Turn | None = None) -> None:
        """One update, step `number` from 1 (default: the next), of every parameter of `turn` from its gradient in the
        order of `targets`; all gradients together are clipped to the spec's norm. What is not of the turn stays as it
        is, its moments too.
        """
        self.steps = self.steps + 1 if number is None else number
        found = dict(zip(self.targets(turn), gradients))
        with no_grad():
            scale = self._clip_scale(gradients)
            for name, group in self.groups.items():
                own = [parameter for parameter in group.parameters if parameter in found]
                count = self.steps if turn is None else turn.counts.get(name, self.steps)
                if own:
                    self._update(group, {parameter: found[parameter] for parameter in own}, scale, learning_rate, count)

    def _update(self, group: _Group, found: dict, scale, learning_rate: float, count: int) -> None:
        """`found` are gradients by name, `count` is the number of the group's own step."""
        rate, names = learning_rate * group.factor, _STATE[group.rule]
        parameters, gradients = [group.parameters[name] for name in found], list(found.values())
        states = [[self.state[f"{part}/{name}"] for part in names] for name in found]
        if group.rule in ("adam", "adamw"):
            made = _adam(group, parameters, gradients, states, scale, rate, count)
        else:
            made = [
                _RULES[group.rule](group, parameter, gradient if scale is None else gradient * scale, own, rate)
                for parameter, gradient, own in zip(parameters, gradients, states)
            ]
        for parameter, own, (value, *new) in zip(parameters, states, made):
            assign(parameter, value)
            for target, moment in zip(own, new):
                assign(target, moment)

    def _clip_scale(self, gradients: list):
        """What all gradients are multiplied by, (1,), so that their common norm is at most `clip`; None without one."""
        if not self.spec.clip:
            return None
        squares = fused.sum_of_squares(gradients)
        # clip / max(norm, clip): a number that stays on the device, instead of a branch that waits for the norm
        return self.spec.clip / (squares.sqrt() + 1e-6).clamp(self.spec.clip, 1e30)


class _Group:
    """Parameters that are updated alike; `factor` times the schedule's rate is theirs."""

    def __init__(self, spec: TrainSpec, own: GroupSpec | None, parameters: dict):
        own = own or GroupSpec()
        self.parameters = parameters
        self.rule = own.optimizer or spec.optimizer
        self.betas = own.betas or spec.betas
        self.momentum = spec.momentum if own.momentum is None else own.momentum
        self.weight_decay = spec.weight_decay if own.weight_decay is None else own.weight_decay
        self.factor = 1.0 if own.learning_rate is None else own.learning_rate / spec.learning_rate


def _check_groups(spec: TrainSpec, groups: dict[str, dict]) -> None:
    names = [name for parameters in groups.values() for name in parameters]
    if len(set(names)) != len(names):
        raise ValueError("a parameter is in two groups")
    for name in spec.groups:
        if name not in groups:
            raise UserError(f"train.groups.{name}: there is no such group; there are: {', '.join(groups)}")


def _adam(
    group: _Group, parameters: list, gradients: list, states: list, scale, rate: float, count: int
) -> list[tuple]:
    """New (parameter, m, v) of each parameter of a group, in one call (Kingma and Ba, ICLR 2015; decoupled decay:
    Loshchilov and Hutter, ICLR 2019).
    """
    decay, (first, second) = group.weight_decay, group.betas
    decoupled = group.rule == "adamw"
    settings = {
        "keep": 1 - rate * decay if decoupled else 1.0,
        "decay": 0.0 if decoupled else decay,
        "first": first,
        "second": second,
        "rate": rate / (1 - first**count),
        "correction": 1 / (1 - second**count),
    }
    scale = ops.array(np.ones(1, np.float32)) if scale is None else scale
    return fused.adam(parameters, gradients, states, scale, settings)


def _adadelta(group: _Group, p, g, state, rate):
    """Zeiler, "ADADELTA", 2012, algorithm 1, with rho 0.9 and epsilon 1e-6."""
    g = g + p * group.weight_decay
    v = state[0] * 0.9 + g * g * 0.1
    delta = g * (state[1] + 1e-6).sqrt() / (v + 1e-6).sqrt()
    return p - delta * rate, v, state[1] * 0.9 + delta * delta * 0.1


def _rmsprop(group: _Group, p, g, state, rate):
    """Tieleman and Hinton, lecture 6.5, 2012, with PyTorch's alpha 0.99 and epsilon 1e-8."""
    g = g + p * group.weight_decay
    v = state[0] * 0.99 + g * g * 0.01
    return p - g / (v.sqrt() + 1e-8) * rate, v


def _sgd(group: _Group, p, g, state, rate):
    """Gradient descent with heavy-ball momentum, in PyTorch's form: the rate is not part of the momentum."""
    m = state[0] * group.momentum + g + p * group.weight_decay
    return p - m * rate, m


_STATE = {"adam": ("m", "v"), "adamw": ("m", "v"), "adadelta": ("v", "d"), "rmsprop": ("v",), "sgd": ("m",)}
_RULES = {"adadelta": _adadelta, "rmsprop": _rmsprop, "sgd": _sgd}


def learning_rate(spec: TrainSpec, step: int, progress: float) -> float:
    """The rate of optimiser step `step` (from 0) at `progress` (0-1) through the run. Warming up ends after a tenth of
    the run at the latest: a short one would never come to its rate.
    """
    warm = min(1.0, max((step + 1) / spec.warmup, progress / 0.1)) if spec.warmup else 1.0
    if spec.schedule == "step":
        return spec.learning_rate * warm * spec.drop_factor ** (step // spec.drop_every)
    if spec.schedule == "cosine":
        return spec.learning_rate * warm * _cosine(1.0, spec.final_fraction, progress)
    # Smith, "Super-convergence", 2018, with fastai's numbers: from a 25th up for 30% of the run, then down
    if spec.schedule == "one-cycle":
        rise = _cosine(0.04, 1.0, progress / 0.3) if progress < 0.3 else 1.0
        return spec.learning_rate * rise * _cosine(1.0, spec.final_fraction, max(0.0, (progress - 0.3) / 0.7))
    return spec.learning_rate * warm


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


class EMA:
    """Exponential moving average of parameters and running statistics (Polyak averaging)."""

    def __init__(self, decay: float, values: dict):
        self.decay, self.values = decay, values
        self.average = {name: ops.array(ops.numpy(value)) for name, value in values.items()}

    def update(self, steps: int) -> None:
        """Takes in the current values after `steps` optimiser steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))  # TensorFlow's start: a young average follows faster
        own, values = list(self.average.values()), [self.values[name] for name in self.average]
        with no_grad():
            new = fused.average(own, values, decay)
            for target, value in zip(own, new):
                assign(target, value)
