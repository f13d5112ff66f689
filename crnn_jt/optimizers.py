"""Optimisers, schedules and weight averaging, one definition for both backends, so that a resumed run is exact."""

from __future__ import annotations

import math

import numpy as np

from crnn_jt.backend import assign, at_once, no_grad, ops
from crnn_jt.spec import TrainSpec


class Optimizer:
    """Adam, AdamW, Adadelta, RMSprop or SGD with momentum over named parameters; its slots are plain state."""

    def __init__(self, spec: TrainSpec, parameters: dict):
        self.spec, self.parameters, self.steps = spec, parameters, 0
        names = _SLOTS[spec.optimizer]
        zero = {name: np.zeros(tuple(value.shape), np.float32) for name, value in parameters.items()}
        self.slots = {f"{slot}/{name}": ops.array(zero[name]) for slot in names for name in parameters}

    def step(self, gradients: list, learning_rate: float) -> None:
        """One update of every parameter from its gradient, clipped to the spec's norm."""
        self.steps += 1
        with no_grad():
            scale = self._clip_scale(gradients)
            if self.spec.optimizer in ("adam", "adamw") and at_once() is not None:
                return self._adam_at_once(gradients, scale, learning_rate)
            for (name, parameter), gradient in zip(self.parameters.items(), gradients):
                gradient = gradient if scale is None else gradient * scale
                names = _SLOTS[self.spec.optimizer]
                slots = [self.slots[f"{slot}/{name}"] for slot in names]
                value, slots = _RULES[self.spec.optimizer](self, parameter, gradient, slots, learning_rate)
                assign(parameter, value)
                for slot, new in zip(names, slots):
                    assign(self.slots[f"{slot}/{name}"], new)

    def _clip_scale(self, gradients: list):
        if not self.spec.clip:
            return None
        if (passes := at_once()) is not None:
            squares = passes.sum_of_squares(gradients)
        else:
            squares = ops.stack([(g * g).sum().reshape((1,)) for g in gradients], 0).sum()
        return self.spec.clip / (squares.sqrt() + 1e-6).clamp(self.spec.clip, 1e30)

    def _adam_at_once(self, gradients: list, scale, rate: float) -> None:
        """`_adam` of every parameter, all in one call."""
        decay, (first, second) = self.spec.weight_decay, self.spec.betas
        decoupled = self.spec.optimizer == "adamw"
        settings = {
            "keep": 1 - rate * decay if decoupled else 1.0,
            "decay": 0.0 if decoupled else decay,
            "first": first,
            "second": second,
            "rate": rate / (1 - first**self.steps),
            "correction": 1 / (1 - second**self.steps),
        }
        slots = [[self.slots[f"{slot}/{name}"] for slot in ("m", "v")] for name in self.parameters]
        scale = ops.array(np.ones(1, np.float32)) if scale is None else scale
        values = list(self.parameters.values())
        for parameter, own, new in zip(values, slots, at_once().adam(values, gradients, slots, scale, settings)):
            for target, value in zip((parameter, *own), new):
                assign(target, value)

    def _adam(self, p, g, slots, rate):
        if self.spec.optimizer == "adamw":
            p = p * (1 - rate * self.spec.weight_decay)
        else:
            g = g + p * self.spec.weight_decay
        first, second = self.spec.betas
        m = slots[0] * first + g * (1 - first)
        v = slots[1] * second + g * g * (1 - second)
        corrected = (v / (1 - second**self.steps)).sqrt() + 1e-8
        return p - m / corrected * (rate / (1 - first**self.steps)), [m, v]

    def _adadelta(self, p, g, slots, rate):
        g = g + p * self.spec.weight_decay
        v = slots[0] * 0.9 + g * g * 0.1
        delta = g * (slots[1] + 1e-6).sqrt() / (v + 1e-6).sqrt()
        return p - delta * rate, [v, slots[1] * 0.9 + delta * delta * 0.1]

    def _rmsprop(self, p, g, slots, rate):
        g = g + p * self.spec.weight_decay
        v = slots[0] * 0.99 + g * g * 0.01
        return p - g / (v.sqrt() + 1e-8) * rate, [v]

    def _sgd(self, p, g, slots, rate):
        m = slots[0] * self.spec.momentum + g + p * self.spec.weight_decay
        return p - m * rate, [m]


_SLOTS = {"adam": ("m", "v"), "adamw": ("m", "v"), "adadelta": ("v", "d"), "rmsprop": ("v",), "sgd": ("m",)}
_RULES = {
    "adam": Optimizer._adam,
    "adamw": Optimizer._adam,
    "adadelta": Optimizer._adadelta,
    "rmsprop": Optimizer._rmsprop,
    "sgd": Optimizer._sgd,
}


def learning_rate(spec: TrainSpec, step: int, progress: float) -> float:
    """The rate of optimiser step `step` (from 0) at `progress` (0-1) through the run."""
    warm = min(1.0, (step + 1) / spec.warmup) if spec.warmup else 1.0
    if spec.schedule == "step":
        return spec.learning_rate * warm * spec.drop_factor ** (step // spec.drop_every)
    if spec.schedule == "cosine":
        return spec.learning_rate * warm * _cosine(1.0, spec.final_fraction, progress)
    if spec.schedule == "one-cycle":  # Smith, "Super-convergence", 2018: up for 30%, then down
        rise = _cosine(0.04, 1.0, progress / 0.3) if progress < 0.3 else 1.0
        return spec.learning_rate * rise * _cosine(1.0, spec.final_fraction, max(0.0, (progress - 0.3) / 0.7))
    return spec.learning_rate * warm


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


class Average:
    """Exponential moving average of parameters and running statistics; young averages follow faster."""

    def __init__(self, decay: float, values: dict):
        self.decay, self.values = decay, values
        self.average = {name: ops.array(ops.numpy(value)) for name, value in values.items()}

    def update(self, steps: int) -> None:
        """Takes in the current values after `steps` optimiser steps."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        own, values = list(self.average.values()), [self.values[name] for name in self.average]
        with no_grad():
            if (passes := at_once()) is not None:
                new = passes.averaged(own, values, decay)
            else:
                new = [average * decay + value * (1 - decay) for average, value in zip(own, values)]
            for target, value in zip(own, new):
                assign(target, value)
