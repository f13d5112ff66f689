"""An optimiser step over all parameters at once, each pass one operator."""

from __future__ import annotations

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import build

jt = runtime.import_jittor()


def sum_of_squares(arrays: list):
    """The sum of the squares of all arrays, (1,)."""
    return build.call("crnn_call_sum_of_squares", arrays, [(1,)], _sizes(arrays))[0]


def adam(parameters: list, gradients: list, slots: list[tuple], scale, settings: dict[str, float]) -> list[tuple]:
    """New (parameter, m, v) of each, from their gradients times `scale` (1,).

    `settings`: keep and decay (the weight's factor, and its share in the gradient), first and second (the momenta's
    decays), rate, correction (what v is multiplied by).
    """
    s = settings
    values = [
        s["keep"],
        s["decay"],
        s["first"],
        1 - s["first"],
        s["second"],
        1 - s["second"],
        s["rate"],
        s["correction"],
    ]
    inputs = [jt.array(np.array(values, np.float32)), scale]
    for parameter, gradient, (m, v) in zip(parameters, gradients, slots):
        inputs += [parameter, gradient, m, v]
    shapes = [parameter.shape for parameter in parameters for _ in range(3)]
    found = build.call("crnn_call_adam", inputs, shapes, _sizes(parameters))
    return list(zip(found[::3], found[1::3], found[2::3]))


def averaged(averages: list, values: list, decay: float) -> list:
    """average · decay + value · (1 - decay) of each."""
    pairs = [array for pair in zip(averages, values) for array in pair]
    inputs = [jt.array(np.array([decay, 1 - decay], np.float32)), *pairs]
    return build.call("crnn_call_average", inputs, [average.shape for average in averages], _sizes(averages))


def _sizes(arrays: list) -> list[int]:
    return [len(arrays), *(array.numel() for array in arrays)]
