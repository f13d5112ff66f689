"""Products in 8 bits as a change of plan: which layers are rounded, how large what comes into them is, and the file.

Calibrated on pictures alone it is post-training quantisation; trained from there, with rounding and clipping in the
forward pass, PACT as PP-OCR has it (Du et al., "PP-OCR", 2020, section 2.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.compression.parts import parts_of, with_parts
from crnn_jt.layers import Layer, Quantised
from crnn_jt.layers.quantised import CLIP
from crnn_jt.models import construct
from crnn_jt.quantised import QuantisedUnit
from crnn_jt.tasks import Task
from crnn_jt.weights import Weights
from data_tools.errors import UserError

PICTURES = 256
"""That ranges are taken from."""


def open_to_rounding(weights: Weights, recurrent: bool = False) -> Weights:
    """The same network with every layer that multiplies by weights in a `Quantised` of its own, ranges yet unknown.

    Recurrent layers stay as they are, as published, unless `recurrent` takes their products in too. Raises UserError
    for a model that is in 8 bits already, or has no layer to round.
    """
    model = construct(weights.spec)
    if any(isinstance(part, QuantisedUnit) for part in model.modules()):
        raise UserError(f"{weights.spec.name}: its products are in 8 bits already; start from the float model")
    parts, moved = parts_of(model), {}
    for name, part in parts.items():

        def wrap(place: str, layer: Layer, part=part) -> Layer:
            if not layer.products or (layer.recurrent and not recurrent):
                return layer
            moved.update({f"{key}.": f"{key}.body.0." for key in part.keys(place)})
            return Quantised((layer,))

        parts[name] = part.rewrite(wrap)
    if not moved:
        raise UserError(f"{weights.spec.name}: a {weights.spec.kind} without a layer that could be rounded to 8 bits")
    arrays = {_move(key, moved): value for key, value in weights.arrays.items()}
    fresh = {"clip": np.float32([CLIP]), "range": np.zeros(1, np.float32)}
    arrays |= {key + name: value for key in moved for name, value in fresh.items()}
    return Weights(arrays, with_parts(model, parts), weights.info)


def _move(key: str, moved: Mapping[str, str]) -> str:
    owner, dot, name = key.rpartition(".")
    return moved.get(owner + dot, owner + dot) + name


def calibrate(task: Task, batches: Iterable, pictures: int = PICTURES) -> int:
    """Sets the range of every rounded layer to the mean, over batches, of the greatest magnitude that comes in while
    nothing is rounded, and widens a bound that would cut some of it off. Returns how many pictures were seen,
    `pictures` or a few more. Raises UserError where there is none.
    """
    units = [part for part in task.model.modules() if isinstance(part, QuantisedUnit)]
    seen = 0
    task.model.eval()
    for unit in units:
        unit.observed = []
    with backend.no_grad():
        for batch in batches:
            inputs, _ = task.usable(batch)
            if len(inputs):
                for loss in task.losses(inputs).values():
                    ops.numpy(loss)
                seen += len(inputs)
            if seen >= pictures:
                break
    if not seen:
        raise UserError("there is not one picture to take the ranges from")
    for unit in units:
        largest = np.float32([np.mean(unit.observed)]) if unit.observed else np.zeros(1, np.float32)
        unit.observed = None
        backend.assign(unit.range, ops.array(largest))
        backend.assign(unit.clip, ops.array(np.maximum(largest, np.float32([CLIP]))))
    return seen


def store(weights: Weights) -> Weights:
    """The same network with its weights rounded for good: a file that holds them as int8."""
    model = construct(weights.spec)
    parts, rounded = parts_of(model), {}
    for name, part in parts.items():

        def settle(place: str, layer: Layer, part=part) -> Layer:
            if not isinstance(layer, Quantised):
                return layer
            for key in part.keys(place):
                for array, axis in layer.body[0].products.items():
                    one = layer.body[0].arrays()[array][axis] == 1
                    rounded[f"{key}.body.0.{array}"] = None if one else axis
            return replace(layer, stored=True)

        parts[name] = part.rewrite(settle)
    if not rounded:
        raise UserError(f"{weights.spec.name}: has no layer in 8 bits")
    return replace(weights, spec=with_parts(model, parts), rounded=rounded)
