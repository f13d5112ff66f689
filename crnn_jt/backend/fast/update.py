"""An optimiser step over all parameters at once, each pass one operator."""

from __future__ import annotations

from crnn_jt.backend.fast import build, fields


def sum_of_squares(arrays: list):
    """The sum of the squares of all arrays, (1,)."""
    return build.call("crnn_call_sum_of_squares", arrays, [(1,)], fields.SumOfSquares(sizes=_sizes(arrays)))[0]


def adam(parameters: list, gradients: list, slots: list[tuple], scale, settings: dict[str, float]) -> list[tuple]:
    """New (parameter, m, v) of each, from their gradients times `scale` (1,).

    `settings`: keep and decay (the weight's factor, and its share in the gradient), first and second (the momenta's
    decays), rate, correction (what v is multiplied by).
    """
    first, second = settings["first"], settings["second"]
    message = fields.Adam(**settings, first_rest=1 - first, second_rest=1 - second, sizes=_sizes(parameters))
    inputs = [scale]
    for parameter, gradient, (m, v) in zip(parameters, gradients, slots):
        inputs += [parameter, gradient, m, v]
    shapes = [parameter.shape for parameter in parameters for _ in range(3)]
    found = build.call("crnn_call_adam", inputs, shapes, message)
    return list(zip(found[::3], found[1::3], found[2::3]))


def average(averages: list, values: list, decay: float) -> list:
    """average · decay + value · (1 - decay) of each."""
    pairs = [array for pair in zip(averages, values) for array in pair]
    message = fields.Average(decay=decay, share=1 - decay, sizes=_sizes(averages))
    return build.call("crnn_call_average", pairs, [average.shape for average in averages], message)


def _sizes(arrays: list) -> list[int]:
    return [array.numel() for array in arrays]
