"""Weights of published CRNNs in, under this project's names.

The layout is crnn.pytorch's (github.com/meijieru/crnn.pytorch, models/crnn.py), which the report's Jittor CRNN kept:
`cnn.conv0` … `cnn.conv6`, `cnn.batchnorm2/4/6`, `rnn.0.rnn`, `rnn.0.embedding`, `rnn.1.rnn`, `rnn.1.embedding`; the
blank is class 0, then 0-9a-z. The network is the same but for one redundancy: a convolution in front of a batch
normalisation has no bias here, so a published one is subtracted from the running mean, which gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crnn_jt.layers import Conv, Norm, Plan
from crnn_jt.pickles import read_pickle
from crnn_jt.spec import ALPHANUMERIC, ImageSpec, LabelSpec, ModelSpec, StageSpec
from crnn_jt.weights import read_safetensors
from data_tools.errors import UserError

_FIRST, _HIDDEN, _MIDDLE, _LAST = (
    "cnn.conv0.weight",
    "rnn.0.rnn.weight_hh_l0",
    "rnn.0.embedding.weight",
    "rnn.1.embedding.weight",
)
_REFINER = {"0": "rnn.0.rnn", "1": "rnn.0.embedding", "2": "rnn.1.rnn"}
_PREFIXES = ("module.", "model.", "net.", "crnn.")
_NESTED = ("state_dict", "model_state_dict", "model", "net", "crnn", "weights", "params")
_STEPS = 26  # of an image of 32 x 100: the length of the global variant's vectors


@dataclass(frozen=True)
class Imported:
    """Arrays under this project's names, the model they are for, and lines that say what was changed or left out."""

    arrays: dict[str, np.ndarray]
    spec: ModelSpec
    notes: list[str]


def read_foreign(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a weights file: safetensors, npz, or a pickle (torch.save, jt.save) of which nothing is executed.

    A state inside a checkpoint (`state_dict`, `model` …) is found, and prefixes such as `module.` are taken off.
    Raises UserError where the file is missing, damaged or holds no arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.suffix == ".safetensors":
        found: Mapping[str, Any] = read_safetensors(path)[0]
    elif path.suffix == ".npz":
        found = _read_npz(path)
    else:
        found = _innermost(read_pickle(path))
    arrays = {str(key): value for key, value in found.items() if isinstance(value, np.ndarray)}
    if not arrays:
        raise UserError(f"{path}: holds no arrays; save the model's state_dict")
    return _without_prefix(arrays)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception as error:  # zipfile and numpy raise many kinds on damaged files
        raise UserError(f"{path}: is no whole npz file of plain arrays ({error})") from error


def _innermost(found: dict[str, Any]) -> dict[str, Any]:
    for name in _NESTED:
        if isinstance(found.get(name), dict):
            return _innermost(found[name])
    return found


def _without_prefix(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in arrays):
            return _without_prefix({key[len(prefix) :]: value for key, value in arrays.items()})
    return arrays


def spec_of(arrays: Mapping[str, np.ndarray], characters: str = ALPHANUMERIC, name: str = "crnn") -> ModelSpec:
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
    classes = len(arrays[_LAST])
    if classes != len(characters) + 1:
        raise UserError(
            f"the weights have {classes} classes, a blank and {classes - 1} characters; --characters names "
            f"{len(characters)}: give them in the order of the classes, without the blank"
        )
    widest, features = _shape(arrays, "cnn.conv6.weight")[:1], _shape(arrays, "rnn.0.rnn.weight_ih_l0")[1:]
    extractor = "vgg_global" if features == (_STEPS,) != widest else "vgg"
    width = arrays[_FIRST].shape[0] / 64
    options = {} if width == 1 else {"width": width}
    refiner = {"hidden": arrays[_HIDDEN].shape[1], "depth": 2, "projection": arrays[_MIDDLE].shape[0]}
    return ModelSpec(
        name=name,
        image=ImageSpec(channels=arrays[_FIRST].shape[1]),
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
    folded = _folded_biases(plan)
    names = {key: _published(key, plan) for key in own}
    left = {key for key in arrays if not key.endswith("num_batches_tracked")}
    problems = [f"missing {name}" for name in names.values() if name not in arrays]
    problems += [f"extra {key}" for key in sorted(left - set(names.values()) - set(folded))]
    for key, name in [*names.items(), *((mean, bias) for bias, mean in folded.items())]:
        if name in arrays and arrays[name].shape != own[key].shape:
            problems.append(f"{name} is {list(arrays[name].shape)}, the model wants {list(own[key].shape)}")
    problems += [f"{name} holds {arrays[name].dtype}" for name in left if arrays[name].dtype.kind != "f"]
    if problems:
        more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise UserError(f"{where}: does not fit: {'; '.join(problems[:6])}{more}")
    result = {key: np.array(arrays[name], np.float32) for key, name in names.items()}
    notes = _fold(result, arrays, folded)
    if len(left) < len(arrays):
        notes.append(f"{len(arrays) - len(left)} counters num_batches_tracked left out")
    return result, notes


def _published(key: str, plan: Plan) -> str:
    """`extractor.stack.6.weight` -> `cnn.conv2.weight`."""
    stage, *_, position, last = key.split(".")
    if stage == "generator":
        return f"rnn.1.embedding.{last}"
    if stage == "refiner":
        return f"{_REFINER.get(position, f'rnn.{position}')}.{last}"
    kind = "conv" if isinstance(plan[int(position)], Conv) else "batchnorm"
    return f"cnn.{kind}{_convolution(plan, int(position))}.{last}"


def _convolution(plan: Plan, position: int) -> int:
    """The number of the convolution at or before a place of the plan, from 0."""
    return sum(isinstance(layer, Conv) for layer in plan[: position + 1]) - 1


def _folded_biases(plan: Plan) -> dict[str, str]:
    """Published biases that have no place here -> the running mean that takes them up."""
    folded = {}
    for position, layer in enumerate(plan):
        if isinstance(layer, Norm):
            folded[f"cnn.conv{_convolution(plan, position)}.bias"] = f"extractor.stack.{position}.running_mean"
    return folded


def _fold(result: dict[str, np.ndarray], arrays: Mapping[str, np.ndarray], folded: dict[str, str]) -> list[str]:
    present = {name: key for name, key in folded.items() if name in arrays}
    for name, key in present.items():
        result[key] = result[key] - arrays[name].astype(np.float32)
    return [f"{', '.join(present)} taken up by the batch normalisation behind"] if present else []


def import_weights(path: str | Path, characters: str = ALPHANUMERIC, name: str = "crnn") -> Imported:
    """A published CRNN as this project's model. Raises UserError naming what is missing, extra or misshapen."""
    from crnn_jt import backend
    from crnn_jt.recognizer import Recognizer

    arrays = read_foreign(path)
    try:
        spec = spec_of(arrays, characters, name)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    recognizer = Recognizer(spec)
    translated, notes = translate(arrays, backend.state(recognizer), recognizer.extractor.layers(), str(path))
    return Imported(translated, spec, notes)
