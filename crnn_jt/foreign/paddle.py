"""PaddleOCR's line recognisers of the first generation under this project's names.

The layout is that of PP-OCR's recogniser (github.com/PaddlePaddle/PaddleOCR, ppocr/modeling: rec_mobilenet_v3.py,
necks/rnn.py, rec_ctc_head.py): `backbone.conv1`, `backbone.blocks.N` with `expand_conv`, `bottleneck_conv`, `mid_se`,
`linear_conv`, `backbone.conv2`; `neck.encoder.lstm`, two layers; `head.fc`. The blank is class 0. What is said
otherwise there and here is said here in other numbers, so that the same comes out:

- pictures are BGR there: the first convolution's input channels are turned round;
- a gate is 0.2 x + 0.5, not x / 6 + 0.5: the convolution before it is multiplied by 1.2;
- there is nothing between the two LSTMs: the linear layer that stands there is the identity;
- linear weights are (in, out) there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from crnn_jt.foreign.files import check_classes, check_fit
from crnn_jt.layers import Plan, walk
from crnn_jt.spec import RecognizerSpec, StageSpec, load_config
from data_tools.errors import UserError

FIRST = "backbone.conv1.conv.weight"
"""The array by which the layout is known."""
_LAST, _LSTM, _HEAD = "backbone.conv2.conv.weight", "neck.encoder.lstm", "head.fc.weight"
_WIDTHS = {200: 0.35, 288: 0.5, 432: 0.75, 576: 1.0, 720: 1.25}
"""The published widths by the channels of the last convolution."""
_PARTS = ("expand_conv", "bottleneck_conv", "linear_conv")
_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
_GATE = 0.2 * 6
_BETWEEN = "refiner.stack.1"
"""The linear layer between the LSTMs."""


def spec_of(arrays: Mapping[str, np.ndarray], characters: str, name: str) -> RecognizerSpec:
    """The model that the arrays are for, the configuration `ppocr` in their size; `characters` in class order,
    to which a space is added where there is a class more.

    Raises UserError where the layout is another, or the classes are not the characters and a blank.
    """
    hidden = _lstm_name(arrays, 0, "weight_hh_l0")
    for key, axes in ((FIRST, 4), (_LAST, 4), (hidden, 2), (_HEAD, 2)):
        if key not in arrays or arrays[key].ndim != axes:
            raise UserError(f"not the layout of PP-OCR's recogniser: there is no {key} of {axes} axes")
    if len(arrays[_LAST]) not in _WIDTHS:
        known = ", ".join(map(str, _WIDTHS))
        raise UserError(f"{_LAST} has {len(arrays[_LAST])} channels; MobileNetV3-small, the one known, has {known}")
    classes = arrays[_HEAD].shape[1]
    if classes == len(characters) + 2 and " " not in characters:  # PaddleOCR's use_space_char
        characters += " "
    check_classes(classes, characters)
    width, units = _WIDTHS[len(arrays[_LAST])], arrays[hidden].shape[1]
    spec = load_config("ppocr").model
    return replace(
        spec,
        name=name,
        image=replace(spec.image, channels=arrays[FIRST].shape[1]),
        labels=replace(spec.labels, characters=characters),
        extractor=StageSpec("mobilenet_v3", {"size": "small", "width": width, "lines": True, "paddle": True}),
        refiner=StageSpec("bilstm", {"hidden": units, "depth": 2, "projection": 2 * units}),
    )


def translate(
    arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], plan: Plan, where: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Published arrays under the names of `own` (a model's state with its shapes), and notes on what was changed.

    `plan` is the extractor's. Raises UserError that names missing, extra and misshapen arrays as the file names them.
    """
    names = {key: name for key, name in _pair_names(arrays, own, plan) if not key.startswith(_BETWEEN)}
    flat = (f"{_LSTM}.weight_", f"{_LSTM}.bias_")
    if any(".cell_fw." in key for key in arrays):  # then these are further names of the same arrays
        arrays = {key: array for key, array in arrays.items() if not key.startswith(flat)}
    shapes = {name: own[key].shape for key, name in names.items()}
    shapes[_HEAD] = shapes[_HEAD][::-1]
    check_fit(arrays, shapes, (), where)
    result = {key: np.array(arrays[name], np.float32) for key, name in names.items()}
    for key, name in names.items():
        if name == FIRST:
            result[key] = np.ascontiguousarray(result[key][:, ::-1])
        elif name == _HEAD:
            result[key] = np.ascontiguousarray(result[key].T)
        elif ".mid_se.conv2." in name:
            result[key] *= np.float32(_GATE)
    result[f"{_BETWEEN}.weight"] = np.eye(*own[f"{_BETWEEN}.weight"].shape, dtype=np.float32)
    result[f"{_BETWEEN}.bias"] = np.zeros(own[f"{_BETWEEN}.bias"].shape, np.float32)
    return result, ["pictures as RGB instead of BGR", "the layer between the LSTMs is the identity"]


def _pair_names(arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], plan: Plan) -> Iterator[tuple]:
    """Own keys with the names in the file."""
    units = _name_units(plan)
    for key in own:
        owner, _, last = key.rpartition(".")
        if owner == "generator.head":
            yield key, f"head.fc.{last}"
        elif owner.startswith("refiner."):
            yield key, _lstm_name(arrays, int(owner.rpartition(".")[2]) // 2, last)
        else:
            yield key, f"{units[owner]}.{_STATISTICS.get(last, last)}"


def _name_units(plan: Plan) -> dict[str, str]:
    """Own keys of the extractor's layers -> theirs in the file: both stand in the order of computation."""
    keyed = [(key, layer.arrays()) for key, layer in walk(plan, "extractor.stack.") if layer.arrays()]
    convolutions = sum("running_mean" in arrays for _, arrays in keyed)  # each has a normalisation
    blocks = [f"blocks.{number}.{part}" for number in range((convolutions - 2) // len(_PARTS)) for part in _PARTS]
    left = iter(["conv1", *blocks, "conv2"])
    names, unit, squeezed = {}, "", 0
    for key, arrays in keyed:
        if "running_mean" in arrays:
            names[key] = f"backbone.{unit}.bn"
        elif "bias" in arrays:  # one of the two of a gate
            squeezed += 1
            names[key] = f"backbone.{unit.rpartition('.')[0]}.mid_se.conv{2 - squeezed % 2}"
        else:
            unit = next(left)
            names[key] = f"backbone.{unit}.conv"
    return names


def _lstm_name(arrays: Mapping[str, np.ndarray], number: int, last: str) -> str:
    """`weight_ih_l0_reverse` of an LSTM as the file names it: Paddle has two names for each of these arrays."""
    part, reverse = last.removesuffix("_reverse").removesuffix("_l0"), last.endswith("_reverse")
    nested = f"{_LSTM}.{number}.cell_{'bw' if reverse else 'fw'}.{part}"
    return nested if nested in arrays else f"{_LSTM}.{part}_l{number}{'_reverse' if reverse else ''}"
