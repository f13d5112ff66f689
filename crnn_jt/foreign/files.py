"""Arrays out of files of others, and whether they are those that a layout has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crnn_jt.pickles import read_pickle
from crnn_jt.spec import RecognizerSpec
from crnn_jt.weights import read_safetensors
from data_tools.errors import UserError
from data_tools.text import read_text

_PREFIXES = ("module.", "model.", "net.", "crnn.")  # DataParallel's, and usual names of the attribute with the network
_NESTED = ("state_dict", "model_state_dict", "model", "net", "crnn", "weights", "params")


@dataclass(frozen=True)
class Imported:
    """Arrays under this project's names, the model they are for, and lines that say what was changed or left out."""

    arrays: dict[str, np.ndarray]
    spec: RecognizerSpec
    notes: list[str]


def read_foreign(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a weights file: safetensors, npz, or a pickle (torch.save, jt.save, paddle.save) of which nothing
    is executed.

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
        found = _find_state(read_pickle(path))
    found = {str(key): _unpair(value) for key, value in found.items()}
    arrays = {key: value for key, value in found.items() if isinstance(value, np.ndarray)}
    if not arrays:
        raise UserError(f"{path}: holds no arrays; save the model's state_dict")
    return _strip_prefix(arrays)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception as error:  # zipfile and numpy raise many kinds on damaged files
        raise UserError(f"{path}: is no whole npz file of plain arrays ({error})") from error


def _find_state(found: dict[str, Any]) -> dict[str, Any]:
    """The innermost mapping that a checkpoint keeps under one of the usual names."""
    for name in _NESTED:
        if isinstance(found.get(name), dict):
            return _find_state(found[name])
    return found


def _strip_prefix(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in arrays):
            return _strip_prefix({key[len(prefix) :]: value for key, value in arrays.items()})
    return arrays


def _unpair(value: Any) -> Any:
    """The array of a pair (name, array), as paddle.save writes tensors; anything else as it is."""
    is_pair = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
    return value[1] if is_pair else value


def read_dictionary(path: str | Path) -> str:
    """The characters of a file with one a line; a line may hold a space. Raises UserError."""
    characters = [line for line in read_text(path).split("\n") if line]
    longer = next((line for line in characters if len(line) > 1), None)
    if longer is not None:
        raise UserError(f"{path}: has the line {longer!r}; it takes one character a line")
    return "".join(characters)


def check_classes(classes: int, characters: str) -> None:
    """Raises UserError unless a model's classes are the characters and a blank."""
    if classes != len(characters) + 1:
        raise UserError(
            f"the weights have {classes} classes, a blank and {classes - 1} characters; --characters or --dictionary "
            f"names {len(characters)}: give them in the order of the classes, without the blank"
        )


def check_fit(
    arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], optional: Collection[str], where: str
) -> None:
    """Raises UserError that names, as the file does, arrays that are missing (but the `optional`), extra, misshapen or
    hold no floating-point numbers.
    """
    problems = [f"missing {name}" for name in shapes if name not in arrays and name not in optional]
    problems += [f"extra {name}" for name in sorted(arrays.keys() - shapes.keys())]
    for name, shape in shapes.items():
        if name in arrays and arrays[name].shape != shape:
            problems.append(f"{name} is {list(arrays[name].shape)}, the model wants {list(shape)}")
    problems += [f"{name} holds {array.dtype}" for name, array in arrays.items() if array.dtype.kind != "f"]
    if problems:
        more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise UserError(f"{where}: does not fit: {'; '.join(problems[:6])}{more}")
