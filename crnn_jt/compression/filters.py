"""Filter pruning by the geometric median (FPGM: He et al., "Filter pruning via geometric median for deep convolutional
neural networks acceleration", CVPR 2019): of the filters of a layer those go that the others can best stand in for.

How many of each set go follows from how much the model minds, measured set by set (Li et al., "Pruning filters for
efficient ConvNets", ICLR 2017, section 3.2), as PP-OCR's detector has it (section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from crnn_jt import layers
from crnn_jt.compression.channels import Flow, Kept, Value, cost_of, count, positions, resize
from crnn_jt.compression.parts import parts_of, with_parts
from crnn_jt.models import Model
from crnn_jt.weights import Weights
from data_tools.errors import UserError

MULTIPLE = 8
"""What is left of 16 channels and more is a multiple of it: processors take so many at once."""


def flow_of(model: Model) -> Flow:
    """The channels of a model. What enters a sequence, and what a detector gives out, stays. Raises UserError for a
    model, or a layer, that cannot be pruned.
    """
    flow, parts, image = Flow(), parts_of(model), model.spec.image
    images = Value(flow.add(image.channels), image.height, image.width)
    flow.fix(images.channels)
    values = flow.walk(parts["extractor"], "extractor", images)
    _ENDS[model.spec.kind](model, flow, values)
    return flow


def _end_recognizer(model: Model, flow: Flow, values: list[Value]) -> None:
    flow.fix(values[-1].channels)


def _end_direction(model: Model, flow: Flow, values: list[Value]) -> None:
    flow.use("head.0.weight", 1, values[-1].channels)


def _end_detector(model: Model, flow: Flow, values: list[Value]) -> None:
    parts, taps = parts_of(model), [values[tap] for tap in model.extractor.taps]
    maps = {f"c{level}": value for level, value in enumerate(taps)}
    neck = flow.walk(parts["neck"], "neck", taps[-1], maps)[-1]
    flow.fix(flow.walk(parts["head"], "head", neck)[-1].channels)


_ENDS: dict[str, Callable] = {"recognizer": _end_recognizer, "detector": _end_detector, "direction": _end_direction}


def name_set(flow: Flow, root: int) -> str:
    """The key of the first layer that makes the channels of a set."""
    return next(key for made, key, _ in flow.filters if flow.root(made) == root).removesuffix(".weight")


def rank_filters(flow: Flow, arrays: Mapping[str, np.ndarray], root: int) -> np.ndarray:
    """The channels of a set, first those that the others can best stand in for: their distances to all other filters
    of a layer have the smallest sum. Where several layers make the set their sums count alike.
    """
    total = np.zeros(flow.sizes[root])
    for made, key, axis in flow.filters:
        if flow.root(made) == root:
            rows = np.moveaxis(np.asarray(arrays[key], np.float64), axis, 0).reshape(len(total), -1)
            squares = (rows**2).sum(1)
            apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)).sum(1)
            total += apart / max(apart.mean(), 1e-30)
    return np.argsort(total, kind="stable")


def count_left(size: int, share: float) -> int:
    """How many of `size` channels stay where about `share` go: one at least, a multiple of `MULTIPLE` of many."""
    left = max(1, round(size * (1 - share)))
    return min(size, max(MULTIPLE, round(left / MULTIPLE) * MULTIPLE)) if size >= 2 * MULTIPLE else left


def choose_kept(flow: Flow, arrays: Mapping[str, np.ndarray], root: int, share: float) -> np.ndarray:
    """Which channels of a set stay where about `share` of them go."""
    size = flow.sizes[root]
    return np.sort(rank_filters(flow, arrays, root)[size - count_left(size, share) :])


def mask(flow: Flow, arrays: Mapping[str, np.ndarray], kept: Kept) -> dict[str, np.ndarray]:
    """The arrays with all that belongs to channels that go at zero: the network computes what the smaller one would,
    in the same shapes.
    """
    masked = dict(arrays)
    for key, axes in flow.axes.items():
        if key.endswith(("running_mean", "running_var")):
            continue
        value = np.array(arrays[key])
        for axis, channels in axes.items():
            gone = np.setdiff1d(np.arange(value.shape[axis]), positions(flow, channels, kept))
            np.moveaxis(value, axis, 0)[gone] = 0
        masked[key] = value
    return masked


def cut(model: Model, weights: Weights, kept: Kept) -> Weights:
    """The smaller network: plan and arrays without the channels that go."""
    flow, parts = flow_of(model), parts_of(model)
    arrays = dict(weights.arrays)
    for key, axes in flow.axes.items():
        for axis, channels in axes.items():
            arrays[key] = np.take(arrays[key], positions(flow, channels, kept), axis)
    changed = {}
    for name in {name for name, _ in flow.passed}:

        def smaller(place: str, layer: layers.Layer, name=name) -> layers.Layer:
            return resize(layer, *(count(flow, channels, kept) for channels in flow.passed[name, place]))

        changed[name] = parts[name].rewrite(smaller)
    return replace(weights, arrays=arrays, spec=with_parts(model, changed))


def choose_shares(
    curves: Mapping[int, Mapping[float, float]], cost: Callable[[dict[int, float]], int], goal: int
) -> dict[int, float]:
    """The share of each set that goes so that the cost comes down to `goal`, each costing the model alike.

    `curves` are, for each set, what the model loses by the share that goes. Raises UserError where the largest shares
    that were measured do not reach the goal.
    """

    def shares(loss: float) -> dict[int, float]:
        return {root: _share_at(curve, loss) for root, curve in curves.items()}

    low, high = 0.0, max((max(curve.values()) for curve in curves.values()), default=0.0) + 1e-6
    if cost(shares(high)) > goal:
        raise UserError(
            f"--keep: of {cost({}) / 1e6:.2f} million multiply-adds {cost(shares(high)) / 1e6:.2f} stay at least, with "
            "the largest --shares; name larger ones, or keep more"
        )
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(shares(middle)) <= goal else (middle, high)
    return shares(high)


def _share_at(curve: Mapping[float, float], loss: float) -> float:
    """The largest share that costs no more than `loss`, between the measured ones on straight lines."""
    found, (before, lost) = 0.0, (0.0, 0.0)
    for share, value in sorted(curve.items()):
        value = max(value, lost)  # losing more cannot cost less
        if value <= loss:
            found = share
        else:
            return before + (share - before) * max(0.0, loss - lost) / (value - lost)
        before, lost = share, value
    return found


def kept_of(flow: Flow, arrays: Mapping[str, np.ndarray], shares: Mapping[int, float]) -> Kept:
    """The channels that stay where these shares go."""
    return {root: choose_kept(flow, arrays, root, share) for root, share in shares.items() if share > 0}


def cost_at(flow: Flow, arrays: dict[str, np.ndarray], shares: Mapping[int, float]) -> int:
    """Multiply-adds that are left where these shares go."""
    kept = {root: np.arange(count_left(flow.sizes[root], share)) for root, share in shares.items() if share > 0}
    return cost_of(flow, arrays, kept)
