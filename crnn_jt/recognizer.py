"""The composition: extractor -> map to sequence -> refiner -> generator, built and checked from a spec."""

from __future__ import annotations

import numpy as np

import crnn_jt.extractors
import crnn_jt.generators
import crnn_jt.refiners  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import load_state, nn, ops, state
from crnn_jt.registry import EXTRACTORS, GENERATORS, REFINERS
from crnn_jt.spec import ModelSpec
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError
from data_tools.transforms import ResizeFixed, ResizeProportional, Transform


def map_to_sequence(features, axis: str):
    """(N, C, H, W) -> (T, N, D): columns give T = W, D = C·H; channels give T = C, D = H·W."""
    batch, channels, height, width = features.shape
    if axis == "channels":
        return features.permute(1, 0, 2, 3).reshape((channels, batch, height * width))
    return features.permute(3, 0, 1, 2).reshape((width, batch, channels * height))


class Recognizer(nn.Module):
    """A recogniser as its spec names it. Raises UserError where the stages do not fit together."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.spec, self.tokenizer = spec, Tokenizer(spec.labels)
        given = {"in_channels": spec.image.channels, "height": spec.image.height}
        self.extractor = EXTRACTORS.build(spec.extractor.name, spec.extractor.options, **given)
        _check_shapes(self.extractor, spec)
        self.refiner = REFINERS.build(spec.refiner.name, spec.refiner.options, in_features=self._features())
        self.generator = GENERATORS.build(
            spec.generator.name,
            spec.generator.options,
            in_features=self.refiner.out_features,
            classes=self.tokenizer.classes,
            max_length=spec.labels.max_length,
        )
        _check_steps(self)

    def _features(self) -> int:
        height, width = self.extractor.out_shape(self.spec.image.height, self.spec.image.width)
        by_columns = self.extractor.sequence_axis == "columns"
        return self.extractor.out_channels * height if by_columns else height * width

    def steps(self, widths: np.ndarray) -> np.ndarray:
        """The step count of each image from its own width, (N,)."""
        if self.extractor.sequence_axis == "channels":
            return np.full(len(widths), self.extractor.out_channels)
        return np.asarray(self.extractor.out_shape(self.spec.image.height, np.asarray(widths))[1])

    def sequence(self, images, widths: np.ndarray) -> tuple:
        """Images (N, C, H, W) -> refined (T, N, D) and lengths (N,). `widths` (N,) are the images' own within the
        batch.
        """
        lengths = self.steps(widths)
        same = bool((np.asarray(widths) == images.shape[3]).all())
        features = self.extractor(images, None if same else widths)
        sequence = map_to_sequence(features, self.extractor.sequence_axis)
        return self.refiner(sequence, None if same else lengths), lengths

    def execute(self, images, widths: np.ndarray, targets: np.ndarray | None = None) -> tuple:
        """(logits (T', N, K), lengths (N,)); `targets` (N, S) for teacher forcing."""
        sequence, lengths = self.sequence(images, widths)
        return self.generator(sequence, lengths, targets), lengths

    def log_probs(self, images: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities (T', N, K) and lengths (N,), as arrays; the module must be in eval mode."""
        logits, lengths = self.execute(ops.array(images), widths)
        return ops.numpy(ops.log_softmax(logits, 2)), lengths


def _check_shapes(extractor, spec: ModelSpec) -> None:
    image = spec.image
    for width in {image.narrowest, image.widest, image.width}:
        height, steps = extractor.out_shape(image.height, width)
        if height < 1 or steps < 1:
            raise UserError(
                f"extractor {spec.extractor.name}: nothing is left of an image of {image.height}x{width}; "
                "make it larger (image.height, image.width)"
            )
    if extractor.sequence_axis == "channels" and image.resize != "fixed":
        raise UserError(f"extractor {spec.extractor.name}: takes images of one width only; set image.resize to fixed")


def _check_steps(recognizer: Recognizer) -> None:
    spec = recognizer.spec
    if not recognizer.generator.aligned:
        return
    steps = int(recognizer.steps(np.array([spec.image.widest]))[0])
    if steps < spec.labels.max_length:
        raise UserError(
            f"{spec.name}: extractor {spec.extractor.name} gives {steps} steps, too few for {spec.generator.name} and "
            f"labels of {spec.labels.max_length}; widen the image or lower labels.max_length"
        )


def transform_of(spec: ModelSpec) -> Transform:
    """The resize policy that the spec names."""
    image = spec.image
    if image.resize == "fixed":
        return ResizeFixed(image.height, image.width, image.channels)
    return ResizeProportional(image.height, image.min_width, image.max_width, image.multiple, image.channels)


def build(spec: ModelSpec, seed: int = 0) -> Recognizer:
    """A recogniser with fresh weights, the same on both backends for the same seed."""
    recognizer = Recognizer(spec)
    rng = np.random.default_rng(seed)
    load_state(recognizer, {key: fresh(key, value.shape, rng) for key, value in sorted(state(recognizer).items())})
    return recognizer


def fresh(key: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Initial values: He normal for convolutions, ±1/sqrt(fan) uniform for the rest, 1 and 0 for normalisations, 1
    for the forget gates' input bias (Jozefowicz et al. 2015).
    """
    last = key.rsplit(".", 1)[-1]
    if last == "running_var" or (last == "weight" and len(shape) == 1):
        return np.ones(shape, np.float32)
    if last.startswith("bias_ih"):
        bias = np.zeros(shape, np.float32)
        bias[shape[0] // 4 : shape[0] // 2] = 1
        return bias
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    if len(shape) == 4:
        return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
    bound = 1 / np.sqrt(shape[0] // 4 if "weight_hh" in last or "weight_ih" in last else shape[1])
    return rng.uniform(-bound, bound, shape).astype(np.float32)
