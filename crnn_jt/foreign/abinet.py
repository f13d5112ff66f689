"""ABINet's weights under this project's names.

The layout is that of its public code (github.com/FangShancheng/ABINet, modules/): `vision.backbone.resnet`,
`vision.backbone.transformer.layers.N`, `vision.attention.k_encoder` / `k_decoder` / `project`, `vision.cls`;
`language.proj`, `language.model.layers.N`, `language.cls`; `alignment.w_att`, `alignment.cls`. The end is class 0. A
file of its vision alone, without `vision.` before the names, is known too. What is said otherwise there and here:

- pictures are (x / 255 - mean) / deviation of ImageNet there and x / 127.5 - 1 here: the first convolution and the mean
  of its norm take that up. Beyond a picture's edge there is its mean colour there and grey here;
- attention has query, key and value in one array there;
- convolutions before a norm have a bias in the U-net there: it is subtracted from the running mean here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from crnn_jt.foreign.files import check_classes
from crnn_jt.foreign.names import check_equal, name_units, norm_after, owners_of, pair, require_shape, take
from crnn_jt.layers import Plan, Positions
from crnn_jt.spec import RecognizerSpec, StageSpec, load_config

FIRST = "vision.backbone.resnet.conv1.weight"
"""The array by which the layout is known."""
CHARACTERS = "abcdefghijklmnopqrstuvwxyz1234567890"
"""In class order, as its list of 36 characters has them."""
_UNITS = (3, 4, 6, 6, 3)
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_HEADS, _ITERATIONS = 8, 3
_PROJECTIONS = ("query", "key", "value")
_VISION, _LANGUAGE = "vision.backbone.transformer.layers.{}.", "language.model.layers.{}."
_UNET = ("k_encoder.{}.0", "k_encoder.{}.1", "k_decoder.{}.1", "k_decoder.{}.2")
shape_of = partial(require_shape, layout="ABINet's")


def unfold(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays as the whole model names them, where a file holds its vision alone."""
    alone = FIRST.removeprefix("vision.") in arrays
    return {f"vision.{key}": array for key, array in arrays.items()} if alone else dict(arrays)


def spec_of(arrays: Mapping[str, np.ndarray], characters: str, name: str) -> RecognizerSpec:
    """The model that the arrays are for, the configuration `abinet` in their size; `characters` in class order.

    Raises UserError where the layout is another, or the classes are not the characters and an end.
    """
    spec, whole = load_config("abinet").model, "language.proj.weight" in arrays
    head, queries = shape_of(arrays, "vision.cls.weight", 2), shape_of(arrays, "vision.attention.pos_encoder.pe", 3)
    check_classes(head[0], characters)
    hidden = shape_of(arrays, _VISION.format(0) + "linear1.weight", 2)[0]
    refiner = {**spec.refiner.options, "depth": _count(arrays, _VISION), "heads": _HEADS, "hidden": hidden}
    corrector = None
    if whole:
        hidden = shape_of(arrays, _LANGUAGE.format(0) + "linear1.weight", 2)[0]
        options = {"depth": _count(arrays, _LANGUAGE), "heads": _HEADS, "hidden": hidden, "iterations": _ITERATIONS}
        corrector = StageSpec("bcn", {**spec.corrector.options, **options})
    channels = shape_of(arrays, "vision.attention.k_encoder.0.0.weight", 4)[0]
    return replace(
        spec,
        name=name,
        labels=replace(spec.labels, characters=characters, max_length=queries[0] - 1),
        extractor=StageSpec("resnet45", {"width": head[1] / 512} if head[1] != 512 else {}),
        refiner=StageSpec("transformer", refiner),
        generator=StageSpec("parallel", {"channels": channels}),
        corrector=corrector,
    )


def _count(arrays: Mapping[str, np.ndarray], layer: str) -> int:
    """How many layers of that name there are."""
    number = 0
    while layer.format(number) + "linear1.weight" in arrays:
        number += 1
    return number


def translate(
    arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], plan: Plan, where: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Published arrays under the names of `own` (a model's state with its shapes), and notes on what was changed.

    Raises UserError that names missing, extra and misshapen arrays as the file names them.
    """
    names = _pair_names(own)
    tables = {key: name for key, name in names.items() if key.endswith(".table")}
    names = {key: name for key, name in names.items() if key not in tables}
    biases = {f"{name.removesuffix('.weight')}.bias": key for key, name in names.items() if _is_unet(key, own)}
    optional = {name: own[key].shape[:1] for name, key in biases.items()} | _positions(arrays)
    result = take(arrays, own, names, optional, where)
    for key, name in tables.items():
        for one in (name, name.replace("token_encoder", "pos_encoder")):
            steps, features = np.shape(arrays.get(one, own[key]))[0], own[key].shape[1]
            table = Positions(features, steps).fresh("table", np.random.default_rng())
            check_equal(arrays, one, table, "sines and cosines of the place")
        result[key] = Positions(own[key].shape[1], len(own[key])).fresh("table", np.random.default_rng())
    for name, key in biases.items():
        if name in arrays:
            result[norm_after(key.removesuffix(".weight"))] -= arrays[name].astype(np.float32)
    _take_up_pixels(result)
    return result, ["pictures as x / 127.5 - 1 instead of by ImageNet's mean and deviation"]


def _pair_names(own: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Own keys with the names in the file; `NAME@0` stands for the first third of NAME."""
    layers = dict(_pair_layers(own))
    names = {}
    for key in own:
        owner, _, last = key.rpartition(".")
        name = layers[owner]
        if last == "table":
            names[key] = f"{name}.pe"
        elif name.endswith("in_proj"):
            names[key] = f"{name}_{last}@{_PROJECTIONS.index(owner.rpartition('.')[2])}"
        else:
            names[key] = f"{name}.{last}"
    return names


def _pair_layers(own: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str]]:
    """Own layers with those in the file."""
    resnet = owners_of(own, "extractor.stack.")
    yield from pair(resnet, (f"vision.backbone.resnet.{one}" for one in name_units(resnet, _UNITS, "{0}1"))).items()
    refiner = owners_of(own, "refiner.stack.")
    yield refiner[0], "vision.backbone.pos_encoder"
    yield from pair(refiner[1:], _name_attention(len(refiner) - 1, _VISION, "self_attn", ("norm1", "norm2"))).items()
    unet = owners_of(own, "generator.keys.")
    names = [_UNET[2 * (number > 3) + part].format(number % 4) for number in range(8) for part in range(2)]
    yield from pair(unet, (f"vision.attention.{one}" for one in names)).items()
    pieces = {"places": "attention.pos_encoder", "query": "attention.project", "head": "cls"}
    yield from ((f"generator.{own}", f"vision.{theirs}") for own, theirs in pieces.items())
    cloze = owners_of(own, "corrector.cloze.")
    yield from pair(cloze, _name_attention(len(cloze), _LANGUAGE, "multihead_attn", ("norm2", "norm3"))).items()
    pieces = {"embed": "language.proj", "places": "language.token_encoder", "head": "language.cls"}
    pieces |= {"gate": "alignment.w_att", "fused": "alignment.cls"}
    yield from ((f"corrector.{own}", theirs) for own, theirs in pieces.items())


def _name_attention(count: int, layer: str, attention: str, norms: tuple[str, str]) -> Iterator[str]:
    """Published names of `count` layers with arrays, eight in each of a transformer: key, out, query, value (own names
    in their order), a norm, two linear layers, a norm.
    """
    parts = (*(f"{attention}.{one}" for one in ("in_proj", "out_proj", "in_proj", "in_proj")), norms[0])
    parts += ("linear1", "linear2", norms[1])
    yield from (f"{layer.format(number // len(parts))}{parts[number % len(parts)]}" for number in range(count))


def _positions(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes of the tables of positions in the file, which this project computes."""
    return {key: array.shape for key, array in arrays.items() if key.endswith("_encoder.pe")}


def _is_unet(key: str, own: Mapping[str, np.ndarray]) -> bool:
    return key.startswith("generator.keys.") and own[key].ndim == 4


def _take_up_pixels(result: dict[str, np.ndarray]) -> None:
    """The first convolution for other pixels: of z = (x + 1) / 2 / deviation - mean / deviation, the factor goes into
    its weights, the rest into the mean of the norm after it.
    """
    weight = result["extractor.stack.0.weight"].astype(np.float64)
    shift = np.einsum("ocuv,c->o", weight, (0.5 - _MEAN) / _DEVIATION)
    result["extractor.stack.0.weight"] = (weight / (2 * _DEVIATION)[:, None, None]).astype(np.float32)
    result["extractor.stack.1.running_mean"] -= shift.astype(np.float32)
