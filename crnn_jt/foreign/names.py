"""The arrays of a model's layers in the order of computation, to be paired with those of a published layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from crnn_jt.foreign.files import check_fit
from data_tools.errors import UserError

COUNTED = "num_batches_tracked"
"""A counter that PyTorch keeps with each batch normalisation."""


def owners_of(own: Mapping[str, np.ndarray], prefix: str) -> list[str]:
    """The keys of the layers with arrays under a prefix, without the arrays' own names, in the order of computation."""
    found = {key.rpartition(".")[0] for key in own if key.startswith(prefix)}
    return sorted(found, key=lambda key: [(int(part), "") if part.isdigit() else (-1, part) for part in key.split(".")])


def pair(owners: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Own layers with the published names of as many."""
    return dict(zip(owners, names, strict=True))


def name_units(owners: Iterable[str], units: Iterable[int], first: str) -> Iterator[str]:
    """Published names of a residual backbone's layers: `first` and its norm, then `layerS.U.conv1` … with a
    `downsample` where the shape changes; S from 1, `units` of them in each.
    """
    places = iter([f"layer{stage}.{unit}" for stage, count in enumerate(units, 1) for unit in range(count)])
    place, inner = "", iter(())
    for owner in owners:
        _, _, number, *rest = owner.split(".")
        if not rest:  # the first convolution and its norm
            yield first.format("conv" if number == "0" else "bn", number)
            continue
        part, position = rest
        if part == "body" and position == "0":
            place, inner = next(places), iter(("conv1", "bn1", "conv2", "bn2"))
        yield f"{place}.{next(inner)}" if part == "body" else f"{place}.downsample.{position}"


def take(
    arrays: Mapping[str, np.ndarray],
    own: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    optional: Mapping[str, tuple[int, ...]],
    where: str,
    shaped: Mapping[str, tuple[int, ...]] = {},
) -> dict[str, np.ndarray]:
    """Published arrays under own keys, float32 copies as they stand in the file. `names` are theirs by own key,
    `NAME@1` the second third of NAME; `optional` the shapes of those that may stand in the file and have no place here;
    `shaped` those of arrays that have another one here. Raises UserError naming what is missing, extra or misshapen.
    """
    counted = {key: array for key, array in arrays.items() if not key.endswith(COUNTED)}
    parts = {key: name.partition("@")[::2] for key, name in names.items()}
    shapes = dict(optional)
    for key, (name, third) in parts.items():
        rows, *rest = own[key].shape
        shapes[name] = (3 * rows if third else rows, *rest)
    check_fit(counted, shapes | dict(shaped), optional, where)
    return {
        key: np.array(np.split(arrays[name], 3)[int(third)] if third else arrays[name], np.float32)
        for key, (name, third) in parts.items()
    }


def require_shape(arrays: Mapping[str, np.ndarray], key: str, axes: int, layout: str) -> tuple[int, ...]:
    """The shape of an array of a file. Raises UserError, naming the layout, where it is not there or has other axes."""
    if key not in arrays or arrays[key].ndim != axes or not arrays[key].size:
        raise UserError(f"not {layout} layout: there is no {key} of {axes} axes")
    return arrays[key].shape


def norm_after(owner: str) -> str:
    """The running mean of the norm that follows a convolution of a unit."""
    prefix, number = owner.rsplit(".", 1)
    return f"{prefix}.{int(number) + 1}.running_mean"


def check_equal(arrays: Mapping[str, np.ndarray], key: str, expected: np.ndarray, what: str) -> None:
    """Raises UserError where an array of the file, if it is there, is not what this project computes instead."""
    found = arrays.get(key, expected)
    if found.size != expected.size or not np.allclose(found.reshape(expected.shape), expected, atol=1e-3):
        raise UserError(f"{key} holds other numbers than {what}, which this project has in its place")
