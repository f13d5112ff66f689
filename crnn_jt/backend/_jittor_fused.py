"""Passes over all parameters at once: one operator where there are CPU kernels, else an operator for each step of each.

Both give the same numbers; see `fast/update.py`.
"""

from __future__ import annotations

from crnn_jt import runtime
from crnn_jt.backend._jittor_ops import kernels

jt = runtime.import_jittor()


def sum_of_squares(arrays: list):
    """The sum of the squares of all arrays, (1,)."""
    if kernels():
        from crnn_jt.backend.fast import update

        return update.sum_of_squares(arrays)
    return jt.stack([(array * array).sum().reshape((1,)) for array in arrays], 0).sum()


def adam(parameters: list, gradients: list, slots: list[tuple], scale, settings: dict[str, float]) -> list[tuple]:
    """New (parameter, m, v) of each, from their gradients times `scale` (1,); `settings` as in `fast/update.py`."""
    if kernels():
        from crnn_jt.backend.fast import update

        return update.adam(parameters, gradients, slots, scale, settings)
    return [_adam(p, g * scale, *own, settings) for p, g, own in zip(parameters, gradients, slots)]


def _adam(p, g, m, v, settings: dict[str, float]) -> tuple:
    first, second = settings["first"], settings["second"]
    p, g = p * settings["keep"], g + p * settings["decay"]
    m = m * first + g * (1 - first)
    v = v * second + g * g * (1 - second)
    corrected = (v / (1 / settings["correction"])).sqrt() + 1e-8
    return p - m / corrected * settings["rate"], m, v


def average(averages: list, values: list, decay: float) -> list:
    """average · decay + value · (1 - decay) of each."""
    if kernels():
        from crnn_jt.backend.fast import update

        return update.average(averages, values, decay)
    return [own * decay + value * (1 - decay) for own, value in zip(averages, values)]
