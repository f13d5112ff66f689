"""A trained model as an ONNX file that other runtimes read, checked before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crnn_jt.weights import Weights
from data_tools.errors import UserError
from data_tools.files import write_bytes

TOLERANCE = 1e-3  # relative to the largest number: float32 sums in another order differ by some 1e-6
STEP_TOLERANCE = 0.02
"""The mean difference where products have 8 bits, relative to the largest number: a bias is rounded to the products'
steps there, and a sum that differs a little may go to the next of 127 steps, which the layers after it magnify.
"""
PICTURES = Path(__file__).parent / "bundled/images"


@dataclass(frozen=True)
class Exported:
    """What was written: its size in bytes, the shapes of the `input` that were compared, such as images (N, C, H, W),
    what came out, and the greatest difference from the model's own (of products in 8 bits the mean one), relative to
    the largest of its numbers. `beside` are the files of the model's other parts.
    """

    path: str
    size: int
    opset: int
    compared: list[tuple[int, ...]]
    output: str
    difference: float
    input: str = "images"
    beside: tuple[Exported, ...] = ()


def export_onnx(weights: Weights, path: str | Path) -> Exported:
    """Writes the model to `path`, a further part of it to the same name with the part's before its ending. Raises
    UserError where a stage has no ONNX form, packages are missing, or ONNX Runtime does not give what the model itself
    gives; nothing is written then.
    """
    _need("onnx", "onnxruntime")
    from crnn_jt.models import restore
    from crnn_jt.onnx.models import forms_of

    forms = forms_of(restore(weights, weights.spec.name))
    made = [_make(form, weights, _name_part(path, form.part)) for form in forms]
    for done, content in made:
        write_bytes(done.path, content)
    first, *others = (done for done, _ in made)
    return replace(first, beside=tuple(others))


def _name_part(path: str | Path, part: str) -> str:
    path = Path(path)
    return str(path.with_name(f"{path.stem}.{part}{path.suffix}") if part else path)


def _make(form, weights: Weights, path: str) -> tuple[Exported, bytes]:
    """What will be written to `path`, checked. Raises UserError."""
    from crnn_jt import backend
    from crnn_jt.onnx.graph import OPSET
    from crnn_jt.onnx.models import build
    from crnn_jt.quantised import QuantisedUnit

    content = build(form, weights.arrays).SerializeToString()
    with backend.no_grad():
        batches = [form.given(draw_samples(*size, weights.spec.image.channels)) for size in form.sizes()]
    try:
        found = compare(content, form, batches)
    except _runtime_errors() as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not written; ONNX Runtime cannot run {weights.spec.name}: {why}") from error
    rounded = any(isinstance(part, QuantisedUnit) for part in form.model.modules())
    differs, allowed = (found[1], STEP_TOLERANCE) if rounded else (found[0], TOLERANCE)
    if not differs <= allowed:
        raise UserError(
            f"{path}: not written; ONNX Runtime's {form.output} differ by {differs:.1e} (relative), more than {allowed}"
        )
    *_, last = form.inputs()
    shapes = [given[last].shape for given in batches]
    return Exported(path, len(content), OPSET, shapes, form.output, differs, last), content


def _need(*packages: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx: {' and '.join(missing)} not installed; pip install 'crnn-jt[export]'")


def session_options():
    """ONNX Runtime's options with products of 8 bits exact: without VNNI it adds two of them in 16 bits else, and what
    does not fit is clipped.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def compare(content: bytes, form, batches: Sequence[dict[str, np.ndarray]]) -> tuple[float, float]:
    """Runs the file's bytes in ONNX Runtime: the greatest difference from what the model of the `Form` gives for inputs
    by name, and the greatest mean one of an output; both as `difference` has them.
    """
    import onnxruntime

    from crnn_jt import backend

    options = session_options()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    differences = []
    for given in batches:
        with backend.no_grad():
            own = form.run(**given)
        differences += map(difference, own, session.run(list(form.outputs()), given))
    return tuple(map(max, zip(*differences)))


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises for a graph that it cannot take."""
    from onnxruntime.capi import onnxruntime_pybind11_state as raised

    return raised.Fail, raised.InvalidGraph, raised.InvalidArgument, raised.NotImplemented, raised.RuntimeException


def difference(own: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The greatest and the mean difference relative to the largest of `own`; inf where shapes differ or a value is no
    number.
    """
    if own.shape != other.shape or not np.isfinite(other).all():
        return float("inf"), float("inf")
    apart, largest = np.abs(own - other), max(np.abs(own).max(), 1e-30)
    return float(apart.max() / largest), float(apart.mean() / largest)


def draw_samples(count: int, height: int, width: int, channels: int) -> np.ndarray:
    """Bundled pictures, and noise as the last: float32 (N, C, H, W) in [-1, 1]."""
    from PIL import Image

    from data_tools.transforms import ResizeFixed

    resize = ResizeFixed(height, width, channels)
    made = [resize(Image.open(path)) for path in sorted(PICTURES.glob("*.png"))[: count - 1]]
    noise = np.random.default_rng(0).uniform(-1, 1, (channels, height, width))
    return np.stack([*made, noise.astype(np.float32)])
