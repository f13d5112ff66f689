"""Published CRNNs under this project's names.

The layout is crnn.pytorch's (github.com/meijieru/crnn.pytorch, models/crnn.py), which the report's Jittor CRNN kept:
`cnn.conv0` … `cnn.conv6`, `cnn.batchnorm2/4/6`, `rnn.0.rnn`, `rnn.0.embedding`, `rnn.1.rnn`, `rnn.1.embedding`; the
blank is class 0, then 0-9a-z. The network is the same but for one redundancy: a convolution in front of a batch
normalisation has no bias here, so a published one is subtracted from the running mean, which gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crnn_jt.foreign.files import check_classes, check_fit
from crnn_jt.layers import BatchNorm, Conv, Plan
from crnn_jt.spec import ALPHANUMERIC, ImageSpec, LabelSpec, RecognizerSpec, StageSpec
from data_tools.errors import UserError

_FIRST, _HIDDEN, _MIDDLE, _LAST = (
    "cnn.conv0.weight",
    "rnn.0.rnn.weight_hh_l0",
    "rnn.0.embedding.weight",
    "rnn.1.embedding.weight",
)
_REFINER = {"0": "rnn.0.rnn", "1": "rnn.0.embedding", "2": "rnn.1.rnn"}
_STEPS = 26  # of an image of 32 x 100: the length of the global variant's vectors


def spec_of(arrays: Mapping[str, np.ndarray], characters: str = ALPHANUMERIC, name: str = "crnn") -> RecognizerSpec:
    """The model that arrays of the published layout are for, from their shapes; `characters` in class order.

    Raises UserError where the layout is another, or the classes are not the characters and a blank.
    """
    missing = [key for key in (_FIRST, _HIDDEN, _MIDDLE, _LAST) if key not in arrays]
    if missing:
        some = ", ".join(list(arrays)[:3])
        raise UserError(f"not a published CRNN layout: there is no {', '.join(missing)} (there is {some} …)")
    for key, axes in ((_FIRST, 4), (_HIDDEN, 2), (_MIDDLE, 2), (_LAST, 2)):
        if arrays[key].ndim != axes:
            raise UserError(f"{key} is {list(arrays[key].shape)}; it should have {axes} axes")
    check_classes(len(arrays[_LAST]), characters)
    # The global variant's LSTM reads vectors of one step count instead of the last convolution's channels.
    widest, features = _shape(arrays, "cnn.conv6.weight")[:1], _shape(arrays, "rnn.0.rnn.weight_ih_l0")[1:]
    extractor = "vgg_global" if features == (_STEPS,) != widest else "vgg"
    width = arrays[_FIRST].shape[0] / 64
    options = {} if width == 1 else {"width": width}
    refiner = {"hidden": arrays[_HIDDEN].shape[1], "depth": 2, "projection": arrays[_MIDDLE].shape[0]}
    # Words in proportion and at least 100 wide (CRNN paper, 3.4), but where the whole of 32 x 100 is one vector.
    resize = "fixed" if extractor == "vgg_global" else "proportional"
    return RecognizerSpec(
        name=name,
        image=ImageSpec(channels=arrays[_FIRST].shape[1], resize=resize, min_width=100, max_width=400),
        labels=LabelSpec(characters=characters),
        extractor=StageSpec(extractor, options),
        refiner=StageSpec("bilstm", refiner),
        generator=StageSpec("ctc"),
    )


def _shape(arrays: Mapping[str, np.ndarray], key: str) -> tuple[int, ...]:
    return arrays[key].shape if key in arrays else ()


def translate(
    arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], plan: Plan, where: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Published arrays under the names of `own` (a model's state with its shapes), and notes on what was changed.

    `plan` is the extractor's. Raises UserError that names missing, extra and misshapen arrays as the file names them.
    """
    folded = _find_folded(plan)
    names = {key: _foreign_name(key, plan) for key in own}
    counted = {key: array for key, array in arrays.items() if not key.endswith("num_batches_tracked")}
    shapes = {name: own[key].shape for key, name in [*names.items(), *((mean, bias) for bias, mean in folded.items())]}
    check_fit(counted, shapes, folded, where)
    result = {key: np.array(arrays[name], np.float32) for key, name in names.items()}
    notes = _fold_biases(result, arrays, folded)
    if len(counted) < len(arrays):
        notes.append(f"{len(arrays) - len(counted)} counters num_batches_tracked left out")
    return result, notes


def _foreign_name(key: str, plan: Plan) -> str:
    """`extractor.stack.6.weight` -> `cnn.conv2.weight`."""
    stage, *_, position, last = key.split(".")
    if stage == "generator":
        return f"rnn.1.embedding.{last}"
    if stage == "refiner":
        return f"{_REFINER.get(position, f'rnn.{position}')}.{last}"
    kind = "conv" if isinstance(plan[int(position)], Conv) else "batchnorm"
    return f"cnn.{kind}{_count_convolutions(plan, int(position))}.{last}"


def _count_convolutions(plan: Plan, position: int) -> int:
    """The number, from 0, of the last convolution up to a place of the plan."""
    return sum(isinstance(layer, Conv) for layer in plan[: position + 1]) - 1


def _find_folded(plan: Plan) -> dict[str, str]:
    """Published biases that have no place here -> the running mean that takes them up."""
    folded = {}
    for position, layer in enumerate(plan):
        if isinstance(layer, BatchNorm):
            folded[f"cnn.conv{_count_convolutions(plan, position)}.bias"] = f"extractor.stack.{position}.running_mean"
    return folded


def _fold_biases(result: dict[str, np.ndarray], arrays: Mapping[str, np.ndarray], folded: dict[str, str]) -> list[str]:
    """Takes published biases off the running means in `result`; returns a note on it. With y = x·w + b, the normalised
    (y - mean)/deviation is that of x·w with the mean less b.
    """
    present = {name: key for name, key in folded.items() if name in arrays}
    for name, key in present.items():
        result[key] = result[key] - arrays[name].astype(np.float32)
    return [f"{', '.join(present)} taken up by the batch normalisation after it"] if present else []
