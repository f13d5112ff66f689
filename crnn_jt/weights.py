"""Weights files: safetensors whose metadata holds the spec, so that a file rebuilds its model. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from crnn_jt.rounding import SCALE, axis_of, restore_weights, round_weights
from crnn_jt.spec import ModelSpec, from_dict, to_dict
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError
from data_tools.files import write_bytes

BUNDLED = Path(__file__).parent / "bundled"
DEFAULT = "crnn-light"
"""The model that reads where none is named."""


@dataclass(frozen=True)
class Weights:
    """What a weights file holds: arrays by name (float32), the model's spec, and facts about the training.

    `rounded` names the arrays that the file has in 8 bits, each with the axis of its output channels, which have a
    scale each (None: one for all; `rounding`).
    """

    arrays: dict[str, np.ndarray]
    spec: ModelSpec
    info: dict[str, Any] = field(default_factory=dict)
    rounded: dict[str, int | None] = field(default_factory=dict)


def save_weights(path: str | Path, weights: Weights, half: bool = False) -> None:
    """Writes a weights file, whole or not at all; `half` stores float16. What is `rounded` is stored as int8 with its
    scales, float32, under the key `….scale`.
    """
    arrays = {}
    for name, value in weights.arrays.items():
        if name in weights.rounded:
            arrays[name], arrays[name + SCALE] = round_weights(value, weights.rounded[name])
        else:  # a number alone, such as a range, costs nothing and scales everything
            arrays[name] = np.ascontiguousarray(value, np.float16 if half and value.size > 1 else np.float32)
    metadata = {"spec": json.dumps(to_dict(weights.spec)), "info": json.dumps(weights.info)}
    write_bytes(path, save(arrays, metadata))


def mean(several: Sequence[Weights], names: Sequence[str]) -> Weights:
    """The mean of each array over files of one model, the rest as in the last (Izmailov et al., "Averaging weights
    leads to wider optima", 2018). Raises UserError where one, called by its name, is of another model.
    """
    last = several[-1]
    for weights, name in zip(several, names):
        if weights.rounded and len(several) > 1:
            raise UserError(
                f"{name}: is in 8 bits, of which there is no mean; average the float weights, then compress"
            )
        check(weights.arrays, last.arrays, name)
        if replace(weights.spec, name=last.spec.name) != last.spec:
            raise UserError(f"{name}: is of another model than {names[-1]}; average weights of one model")
    arrays = {key: sum(weights.arrays[key] for weights in several) / len(several) for key in last.arrays}
    return replace(last, arrays=arrays, info={**last.info, **({"mean_of": len(several)} if len(several) > 1 else {})})


def find_weights(name: str | Path) -> Path:
    """The file of a bundled model's name or of a path. Raises UserError."""
    path = Path(name)
    bundled = BUNDLED / f"{name}.safetensors"
    if path.is_file():
        return path
    if len(path.parts) == 1 and bundled.is_file():
        return bundled
    names = ", ".join(bundled_names()) or "none"
    raise UserError(f"{name}: no such weights file or model; models that ship: {names}")


def bundled_names() -> list[str]:
    """The models that ship."""
    return sorted(path.stem for path in BUNDLED.glob("*.safetensors"))


def load_weights(name: str | Path) -> Weights:
    """Reads a weights file by path or bundled name. Raises UserError for a file that is not one."""
    path = find_weights(name)
    arrays, metadata = read_safetensors(path)
    try:
        spec, info = json.loads(metadata["spec"]), json.loads(metadata.get("info", "{}"))
    except (KeyError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: holds no model spec; foreign weights come in by: python -m crnn_jt import-weights"
        ) from error
    if not isinstance(info, dict):
        raise UserError(f"{path}: its info is no mapping of keys to values")
    try:
        spec = from_dict(ModelSpec, _upgrade(spec, info))
        arrays, rounded = _restore(arrays)
        return Weights({key: _float(key, value) for key, value in arrays.items()}, spec, info, rounded)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _upgrade(spec: Any, info: dict[str, Any]) -> Any:
    """Until 2026-11-26 the frame of a model of music could stand among the facts about its training."""
    image = spec.get("image", {}) if isinstance(spec, dict) else None
    if isinstance(image, dict) and "frame" in info and "frame" not in image:
        return {**spec, "image": {**image, "frame": info["frame"]}}
    return spec


def _restore(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, int | None]]:
    """Arrays in 8 bits as float32, and the axes of their scales, by key. UserError for scales that do not fit."""
    found, rounded = dict(arrays), {}
    for key in [key for key, value in arrays.items() if value.dtype == np.int8]:
        scale = found.pop(key + SCALE, None)
        if scale is None or scale.dtype != np.float32 or not _spreads(scale, arrays[key]):
            raise UserError(f"{key}: holds int8 without scales, float32, one for each of its channels")
        rounded[key] = axis_of(scale)
        found[key] = restore_weights(arrays[key], scale)
    return found, rounded


def _spreads(scale: np.ndarray, values: np.ndarray) -> bool:
    """Whether scales are 1 along every axis but one, and as many as the values along it."""
    long = [one for one, size in zip(scale.shape, values.shape) if one != 1 and one == size]
    ones = sum(one == 1 for one in scale.shape)
    return scale.ndim == values.ndim and len(long) <= 1 and ones + len(long) == scale.ndim


def _float(key: str, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind != "f":
        raise UserError(f"{key}: holds {value.dtype}, not floating point numbers")
    return value.astype(np.float32)


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of a safetensors file. Raises UserError where it is truncated, or something else."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError, KeyError, MemoryError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({' '.join(str(error).split())})") from error


def check(arrays: dict[str, np.ndarray], own: dict[str, np.ndarray], where: str) -> None:
    """Raises UserError naming missing, extra and misshapen keys; all must fit."""
    problems = [f"missing {key}" for key in own if key not in arrays]
    problems += [f"extra {key}" for key in arrays if key not in own]
    for key in own.keys() & arrays.keys():
        if own[key].shape != arrays[key].shape:
            problems.append(f"{key} is {list(arrays[key].shape)}, the model wants {list(own[key].shape)}")
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise UserError(f"{where}: does not fit the model: {'; '.join(problems[:5])}{more}")


def transfer(
    weights: Weights, own: dict[str, np.ndarray], spec: ModelSpec, symbol_rows: Collection[str] = ()
) -> tuple[dict[str, np.ndarray], list[str]]:
    """For fine-tuning a model of `spec` with the arrays `own`: what `weights` give it, and what stays fresh, named.

    A head of another kind (`spec.heads`) stays fresh. With another character set, symbols that both have keep their
    rows in the arrays named by `symbol_rows`.
    """
    old, new = _symbols(weights.spec), _symbols(spec)
    other = tuple(f"{head}." for head in spec.heads if _stage(weights.spec, head) != _stage(spec, head))
    fitting, fresh = {}, []
    for key, mine in own.items():
        theirs = None if key.startswith(other) else weights.arrays.get(key)
        if theirs is not None and key in symbol_rows and old != new and theirs.shape[1:] == mine.shape[1:]:
            fitting[key], kept = _by_symbol(theirs, mine, old, new)
            if kept < len(mine):
                fresh.append(f"{key} ({len(mine) - kept} of {len(mine)} rows)")
        elif theirs is not None and theirs.shape == mine.shape:
            fitting[key] = theirs
        else:
            fresh.append(key)
    return fitting, fresh


def _symbols(spec: ModelSpec) -> tuple[str, ...]:
    labels = getattr(spec, "labels", None)
    return Tokenizer(labels).symbols if labels else ()


def _stage(spec: ModelSpec, name: str) -> str | None:
    """The registered name of a stage; None where the spec has no such stage."""
    return getattr(getattr(spec, name, None), "name", None)


def _by_symbol(theirs: np.ndarray, mine: np.ndarray, old: tuple, new: tuple) -> tuple[np.ndarray, int]:
    """`mine` with the rows of shared symbols, of index 0 and of an embedding's extra last row, and how many."""
    places = {symbol: row for row, symbol in enumerate(old, start=1)}
    pairs = [(0, 0), *((row, places[symbol]) for row, symbol in enumerate(new, start=1) if symbol in places)]
    if len(theirs) == len(old) + 2:
        pairs.append((len(new) + 1, len(old) + 1))
    merged = mine.copy()
    for to, source in pairs:
        merged[to] = theirs[source]
    return merged, len(pairs)
