"""ASTER's and AutoSTR's weights under this project's names.

The layout is that of ASTER's public code in PyTorch (github.com/ayumiymk/aster.pytorch, lib/models), which AutoSTR's
(github.com/AutoML-4Paradigm/AutoSTR) kept around another backbone: `stn_head.stn_convnet.N`, `stn_fc1`, `stn_fc2`,
`tps`; `encoder.layer0` … `encoder.layer5` of ASTER, `encoder.first_conv` and `encoder.blocks.N.mobile_inverted_conv`
of AutoSTR; `encoder.rnn`, two layers; `decoder.decoder` with `attention_unit`, `tgt_embedding`, `gru` and `fc`. The
classes are the characters, the end, one for padding and one for unknown characters; the last two are not taken. What is
said otherwise there and here is said here in other numbers, so that the same comes out:

- the end is class 0;
- the point finder gives points, not distances from where they lie, in 0-1, and a tenth of its features goes into them;
- its convolutions have a bias before the norm: it is subtracted from the running mean;
- scores of attention have two biases: one goes to the keys, the other changes nothing;
- the head does not see the context: its columns are zero;
- there is nothing between the two LSTMs: the linear layer that stands there is the identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from crnn_jt.foreign.files import check_classes
from crnn_jt.foreign.names import check_equal, name_units, norm_after, owners_of, pair, require_shape, take
from crnn_jt.layers import Plan
from crnn_jt.rectifiers.tps import edge_points
from crnn_jt.search import space
from crnn_jt.spec import RecognizerSpec, StageSpec, load_config
from data_tools.errors import UserError

_DECODER, _FINDER, _BETWEEN = "decoder.decoder", "rectifier.localisation.", "refiner.stack.1"
_SCORES = f"{_DECODER}.attention_unit"
_CONTROL, _PIXELS = "tps.target_control_points", "tps.target_coordinate_repr"
FIRST = f"{_SCORES}.sEmbed.weight"
"""The array by which the layout is known."""
ASTER_FIRST, AUTOSTR_FIRST = "encoder.layer0.0.weight", "encoder.first_conv.0.weight"
UNITS = (3, 4, 6, 6, 3)
LONGEST = 99
"""Symbols that the published decoder writes at most, besides the end."""
_UNIT = ("inverted_bottleneck", "depth_conv", "point_conv")
_SPECIAL = 2
"""Classes besides characters and end, the last two."""
_MARGIN, _TENTH = 0.05, 0.1
_PIECES = {
    "embedding.weight": "tgt_embedding.weight",
    "keys.weight": "attention_unit.xEmbed.weight",
    "keys.bias": "attention_unit.xEmbed.bias",
    "query.weight": "attention_unit.sEmbed.weight",
    "energy.weight": "attention_unit.wEmbed.weight",
    **{f"cell.{kind}_{end}": f"gru.{kind}_{end}_l0" for kind in ("weight", "bias") for end in ("ih", "hh")},
    "head.weight": "fc.weight",
    "head.bias": "fc.bias",
}
shape_of = partial(require_shape, layout="ASTER's or AutoSTR's")


def characters_of() -> str:
    """In class order: figures, small letters, capitals, punctuation."""
    return load_config("autostr").model.labels.characters


def spec_of(arrays: Mapping[str, np.ndarray], characters: str, name: str, path: str = "ABABB") -> RecognizerSpec:
    """The model that the arrays are for, the configuration `autostr` in their size; `characters` in class order, `path`
    the strides of AutoSTR's backbone, which stand in no array.

    Raises UserError where the layout is another, or the classes are not those of the characters.
    """
    spec = load_config("autostr").model
    state = shape_of(arrays, FIRST, 2)  # (attention, hidden)
    check_classes(shape_of(arrays, f"{_DECODER}.fc.weight", 2)[0] - _SPECIAL, characters)
    refiner = StageSpec("identity")
    if "encoder.rnn.weight_hh_l0" in arrays:
        hidden = shape_of(arrays, "encoder.rnn.weight_hh_l0", 2)[1]
        refiner = StageSpec("bilstm", {"hidden": hidden, "depth": 2, "projection": 2 * hidden})
    sizes = {"hidden": state[1], "attention": state[0], "embedding": state[0], "cell": "gru"}
    rectified = any(key.startswith("stn_head.") for key in arrays)
    height, width = (64, 256) if rectified else (32, 100)
    return replace(
        spec,
        name=name,
        image=replace(spec.image, height=height, width=width),
        labels=replace(spec.labels, characters=characters, max_length=LONGEST),
        rectifier=_rectifier(arrays) if rectified else None,
        extractor=_extractor(arrays, path),
        refiner=refiner,
        generator=StageSpec("attention", sizes),
    )


def _rectifier(arrays: Mapping[str, np.ndarray]) -> StageSpec:
    points = shape_of(arrays, "stn_head.stn_fc2.weight", 2)[0] // 2
    first = shape_of(arrays, "stn_head.stn_convnet.0.0.weight", 4)[0]
    hidden = shape_of(arrays, "stn_head.stn_fc1.0.weight", 2)[0]
    options = {"out_height": 32, "out_width": 100, "points": points, "hidden": hidden}
    options |= {"width": first / 32} if first != 32 else {}
    return StageSpec("tps", {**options, "margin": _margin(arrays), "repeat_edges": True})


def _margin(arrays: Mapping[str, np.ndarray]) -> float:
    """How far from the edges the straightened points lie, as a share of the picture. Raises UserError for two."""
    if _CONTROL not in arrays:
        return _MARGIN
    if shape_of(arrays, _CONTROL, 2)[1] != 2:
        raise UserError(f"{_CONTROL}: is {list(arrays[_CONTROL].shape)}; a point has two numbers")
    across, down = map(float, arrays[_CONTROL][0])
    if abs(across - down) > 1e-6:
        raise UserError(f"{_CONTROL}: margins of {across:g} and {down:g}; the rectifier tps has one for both")
    return round(across, 6)


def _extractor(arrays: Mapping[str, np.ndarray], path: str) -> StageSpec:
    """The backbone, by the names of its arrays. Raises UserError for one that there is not here."""
    if ASTER_FIRST in arrays:
        width = shape_of(arrays, ASTER_FIRST, 4)[0] / space.WIDTHS[0]
        return StageSpec("aster", {"width": width} if width != 1 else {})
    choice = next((key for key in arrays if "AP_path_alpha" in key or ".candidate_ops." in key), None)
    if choice is not None:
        raise UserError(f"{choice}: a network that is still being searched; import the one that was trained after it")
    if AUTOSTR_FIRST not in arrays:
        others = sorted({".".join(key.split(".")[:2]) for key in arrays if key.startswith("encoder.")})
        raise UserError(
            f"the backbone {', '.join(others[:3]) or 'is missing'}: neither ASTER's ({ASTER_FIRST}) nor AutoSTR's "
            f"({AUTOSTR_FIRST})"
        )
    width = shape_of(arrays, AUTOSTR_FIRST, 4)[0] / space.WIDTHS[0]
    operations = [_operation(arrays, f"encoder.blocks.{number}.mobile_inverted_conv") for number in range(space.LAYERS)]
    return StageSpec("autostr", {"path": path, "operations": operations, **({"width": width} if width != 1 else {})})


def _operation(arrays: Mapping[str, np.ndarray], block: str) -> str:
    """A layer's operation by the shapes of its arrays; one without any is left out."""
    if not any(key.startswith(f"{block}.") for key in arrays):
        return "skip"
    channels, _, kernel, _ = shape_of(arrays, f"{block}.depth_conv.conv.weight", 4)
    wide = f"{block}.inverted_bottleneck.conv.weight"
    name = f"k{kernel}e{channels // shape_of(arrays, wide, 4)[1] if wide in arrays else 1}"
    if name not in space.OPERATIONS:
        raise UserError(f"{block}: {name}; AutoSTR's operations are {', '.join(space.OPERATIONS)}")
    return name


def translate(
    arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], plan: Plan, where: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Published arrays under the names of `own` (a model's state with its shapes), and notes on what was changed.

    Raises UserError that names missing, extra and misshapen arrays as the file names them.
    """
    layers = dict(_pair_layers(arrays, own))
    names = {f"generator.{key}": f"{_DECODER}.{name}" for key, name in _PIECES.items()}
    for key in own:
        owner, _, last = key.rpartition(".")
        if owner in layers:
            names[key] = f"{layers[owner]}.{last}"
        elif owner == "refiner.stack.0" or owner == "refiner.stack.2":
            names[key] = f"encoder.rnn.{last.replace('_l0', f'_l{int(owner[-1]) // 2}')}"
    biased = {f"{layers[owner]}.bias": owner for owner in owners_of(own, _FINDER)[::2]}
    optional = {name: own[f"{owner}.weight"].shape[:1] for name, owner in biased.items()}
    optional |= {f"{_SCORES}.sEmbed.bias": own["generator.keys.bias"].shape, f"{_SCORES}.wEmbed.bias": (1,)}
    optional |= _check_spline(arrays, own)
    result = take(arrays, own, names, optional, where, _shapes(own))
    for name, owner in biased.items():
        if name in arrays:
            result[norm_after(owner)] -= arrays[name].astype(np.float32)
    result["generator.keys.bias"] += arrays.get(f"{_SCORES}.sEmbed.bias", np.float32(0)).astype(np.float32)
    _order_classes(result, own)
    if "rectifier.head.weight" in own:
        _move_points(result, own, arrays)
    if f"{_BETWEEN}.weight" in own:
        result[f"{_BETWEEN}.weight"] = np.eye(*own[f"{_BETWEEN}.weight"].shape, dtype=np.float32)
        result[f"{_BETWEEN}.bias"] = np.zeros(own[f"{_BETWEEN}.bias"].shape, np.float32)
    return result, ["the classes for padding and for unknown characters left out", "read greedily, not with a beam"]


def _pair_layers(arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str]]:
    """Own layers of the rectifier and the extractor with those in the file."""
    finder = owners_of(own, _FINDER)
    names = [f"stn_convnet.{2 * number}.{part}" for number in range(len(finder) // 2 - 1) for part in (0, 1)]
    yield from pair(finder, (f"stn_head.{one}" for one in [*names, "stn_fc1.0", "stn_fc1.1"][: len(finder)])).items()
    yield "rectifier.head", "stn_head.stn_fc2"
    backbone = owners_of(own, "extractor.stack.")
    if ASTER_FIRST in arrays:
        named = name_units(backbone, UNITS, "layer0.{1}")
    else:
        named = _name_blocks(arrays)
    yield from pair(backbone, (f"encoder.{one}" for one in named)).items()


def _name_blocks(arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """The layers of AutoSTR's backbone with arrays, in the order of computation."""
    yield from ("first_conv.0", "first_conv.1")
    for number in range(space.LAYERS):
        block = f"blocks.{number}.mobile_inverted_conv"
        operation = space.OPERATIONS[_operation(arrays, f"encoder.{block}")]
        if operation is not None:
            for unit in _UNIT[operation.expansion == 1 :]:
                yield from (f"{block}.{unit}.conv", f"{block}.{unit}.bn")


def _check_spline(arrays: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes of the spline's matrices in the file, which this project computes. Raises UserError for another
    spline.
    """
    found = {key: array.shape for key, array in arrays.items() if key.startswith("tps.")}
    if found and "rectifier.head.bias" in own:
        points = edge_points(own["rectifier.head.bias"].size // 2) * (1 - 2 * _margin(arrays))
        check_equal(arrays, _CONTROL, (points + 1) / 2, "points along the upper and the lower edge")
        pixels = shape_of(arrays, _PIXELS, 2)[0] if _PIXELS in arrays else 32 * 100
        if pixels != 32 * 100:
            raise UserError(f"{_PIXELS}: for {pixels} pixels; those that are known have 32x100")
    return found


def _shapes(own: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes in the file of arrays that have another one here."""
    classes, hidden = len(own["generator.head.bias"]) + _SPECIAL, own["generator.cell.weight_hh"].shape[1]
    rows = {"fc.weight": (classes, hidden), "fc.bias": (classes,)}
    rows["tgt_embedding.weight"] = (classes + 1, own["generator.embedding.weight"].shape[1])
    found = {f"{_DECODER}.{name}": shape for name, shape in rows.items()}
    last = owners_of(own, _FINDER)[-2:]
    if last:
        rows = own[f"{last[0]}.weight"].shape
        found["stn_head.stn_fc1.0.weight"] = (rows[0], int(np.prod(rows[1:])))
    return found


def _order_classes(result: dict[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    """Head and embedding with the end first, the start last, and columns of zeros for the context."""
    characters = len(own["generator.head.bias"]) - 1
    rows = [characters, *range(characters)]
    for name in ("head.weight", "head.bias"):
        result[f"generator.{name}"] = result[f"generator.{name}"][rows]
    weight = np.zeros(own["generator.head.weight"].shape, np.float32)
    weight[:, : result["generator.head.weight"].shape[1]] = result["generator.head.weight"]
    result["generator.head.weight"] = weight
    result["generator.embedding.weight"] = result["generator.embedding.weight"][[*rows, -1]]


def _move_points(
    result: dict[str, np.ndarray], own: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]
) -> None:
    """Points p in 0-1 as distances from where they lie, in [-1, 1]: 2p - 1 less that."""
    last = f"{owners_of(own, _FINDER)[-2]}.weight"
    result[last] = result[last].reshape(own[last].shape)
    lying = edge_points(own["rectifier.head.bias"].size // 2) * (1 - 2 * _margin(arrays))
    result["rectifier.head.weight"] *= np.float32(2 * _TENTH)
    result["rectifier.head.bias"] = (2 * result["rectifier.head.bias"] - 1 - lying.ravel()).astype(np.float32)
