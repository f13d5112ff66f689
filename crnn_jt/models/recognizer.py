"""The recogniser: [rectifier ->] extractor -> sequence -> refiner -> generator [-> corrector], built from a spec."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import crnn_jt.correctors
import crnn_jt.extractors
import crnn_jt.generators
import crnn_jt.rectifiers
import crnn_jt.refiners  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import ops
from crnn_jt.layers import Layer
from crnn_jt.models.base import MODELS, Model
from crnn_jt.registry import CORRECTORS, EXTRACTORS, GENERATORS, RECTIFIERS, REFINERS
from crnn_jt.sequences import GRID
from crnn_jt.spec import RecognizerSpec
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError
from data_tools.transforms import ResizeFixed, ResizeProportional, Transform


@MODELS.register("recognizer")
class Recognizer(Model):
    """One line of symbols from one picture. Raises UserError where the stages do not fit together.

    Between the stages pass: images (N, C, H, W) with their own widths (N,); a sequence (T, N, D) with its lengths (N,);
    logits (T', N, K), K the symbols and the blank or end.
    """

    task = "recognition"
    symbol_rows = (
        *("generator.head.weight", "generator.head.bias", "generator.embedding.weight"),
        *("generator.head.body.0.weight", "generator.head.body.0.bias"),  # of a head in 8 bits
    )

    def __init__(self, spec: RecognizerSpec):
        super().__init__()
        self.spec, self.tokenizer = spec, Tokenizer(spec.labels)
        channels, height = spec.image.channels, spec.image.height
        self.rectifier = self.corrector = None
        if spec.rectifier is not None:
            self.rectifier = RECTIFIERS.build_stage(spec.rectifier, in_channels=channels, height=height)
            height = int(self.rectifier.out_shape(height, spec.image.width)[0])
        self.extractor = EXTRACTORS.build_stage(spec.extractor, in_channels=channels, height=height)
        _check_shapes(self)
        self.refiner = REFINERS.build_stage(spec.refiner, in_features=self.seen_features)
        self.generator = GENERATORS.build_stage(
            spec.generator,
            in_features=self.refiner.out_features,
            classes=self.tokenizer.classes,
            max_length=spec.labels.max_length,
            rows=self._rows(),
        )
        if spec.corrector is not None:
            self.corrector = CORRECTORS.build_stage(
                spec.corrector,
                generator=self.generator,
                classes=self.tokenizer.classes,
                max_length=spec.labels.max_length,
            )
        _check_steps(self)

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that holds arrays, by its key: the stage's name first."""
        stages = ("rectifier", "extractor", "refiner", "generator", "corrector")
        made = {name: getattr(self, name) for name in stages if getattr(self, name) is not None}
        return {f"{name}.{key}": layer for name, stage in made.items() for key, layer in stage.named_layers().items()}

    def map_shape(self, width) -> tuple:
        """(H', W') of the feature map of an image of the spec's height; the width may be an integer array."""
        shape = self.spec.image.height, width
        if self.rectifier is not None:
            shape = self.rectifier.out_shape(*shape)
        return self.extractor.out_shape(*shape)

    @property
    def seen_features(self) -> int:
        """Features of a step before the refiner."""
        size = self.map_shape(self.spec.image.width)
        return self.extractor.sequence.features(self.extractor.out_channels, *size)

    def _rows(self) -> int:
        """The height of the map whose places are the steps; 1 where these are columns or channels."""
        return int(self.map_shape(self.spec.image.width)[0]) if self.extractor.sequence is GRID else 1

    def steps(self, widths: np.ndarray) -> np.ndarray:
        """The step count of each image from its own width, (N,)."""
        size = self.map_shape(np.asarray(widths))
        return np.full(np.shape(widths), self.extractor.sequence.steps(self.extractor.out_channels, *size))

    def sequence(self, images, widths: np.ndarray) -> tuple:
        """Images (N, C, H, W) -> refined (T, N, D) and lengths (N,). `widths` (N,) are the images' own within the
        batch.
        """
        sequence, lengths = self.see(images, widths)
        return self.refine(sequence, lengths), lengths

    def see(self, images, widths: np.ndarray) -> tuple:
        """Images -> the extractor's features as a sequence (T, N, D), not refined yet, and lengths (N,)."""
        lengths = self.steps(widths)
        if self.rectifier is not None:
            images, widths = self.rectifier(images, widths)
        same = bool((np.asarray(widths) == images.shape[3]).all())
        return self.extractor.sequence.to_sequence(self.extractor(images, None if same else widths)), lengths

    def refine(self, sequence, lengths: np.ndarray):
        """(T, N, D) -> (T, N, D')."""
        return self.refiner(sequence, None if bool((lengths == sequence.shape[0]).all()) else lengths)

    def execute(self, images, widths: np.ndarray) -> tuple:
        """(logits (T', N, K), lengths (N,)), from the images alone."""
        sequence, lengths = self.sequence(images, widths)
        return self.generate(sequence, lengths), lengths

    def generate(self, sequence, lengths: np.ndarray):
        """Logits (T', N, K) of a refined sequence (T, N, D), corrected where there is a corrector."""
        if self.corrector is None:
            return self.generator(sequence, lengths)
        return self.corrector(self.generator, sequence, lengths)

    def score(self, sequence, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[n] | image n), (N,), of a refined sequence."""
        if self.corrector is None:
            return self.generator.score(sequence, lengths, words)
        return self.corrector.score(self.generator, sequence, lengths, words)

    def losses(self, images, widths: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> dict:
        """Means over samples by name; targets (N, S) padded with 0, of `sizes` (N,) symbols."""
        return self.teach(*self.sequence(images, widths), targets, sizes)

    def teach(self, sequence, lengths: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> dict:
        """The same of a refined sequence (T, N, D)."""
        if self.corrector is None:
            return self.generator.losses(sequence, lengths, targets, sizes)
        return self.corrector.losses(self.generator, sequence, lengths, targets, sizes)

    def log_probs(self, images: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities (T', N, K) and lengths (N,), as arrays; the module must be in eval mode."""
        logits, lengths = self.execute(ops.array(images), widths)
        return ops.numpy(ops.log_softmax(logits, 2)), lengths

    def freeze(self, arrays: dict[str, np.ndarray], whole: bool = True):
        """All stages as one network on the CPU kernels; up to the refined sequence where these lack the generator, or
        where it is not to be `whole`.
        """
        from crnn_jt.freeze import NotCovered, begin_flow

        for name, stage in (("rectifier", self.rectifier), ("corrector", self.corrector)):
            if stage is not None and not hasattr(stage, "emit"):
                raise NotCovered(f"a {name}")
        flow = begin_flow(self.spec.image.channels, arrays)
        if self.rectifier is not None:
            self.rectifier.emit(flow)
        flow.add_maps(self.extractor.layers(), "extractor.stack.")
        flow.become_sequence(self.extractor.sequence)
        flow.add_sequence(self.refiner.layers(), "refiner.stack.")
        if whole and self.generator.whole:
            self.generator.emit(flow)
            if self.corrector is not None:
                self.corrector.emit(flow)
        return flow.finish()

    def freeze_refining(self, arrays: dict[str, np.ndarray]):
        """The same up to the refined sequence."""
        return self.freeze(arrays, whole=False)


def _check_shapes(recognizer: Recognizer) -> None:
    spec, image = recognizer.spec, recognizer.spec.image
    for width in {image.narrowest, image.widest, image.width}:
        height, steps = recognizer.map_shape(width)
        if height < 1 or steps < 1:
            raise UserError(
                f"extractor {spec.extractor.name}: nothing is left of an image of {image.height}x{width}; "
                "make it larger (image.height, image.width)"
            )
    if not recognizer.extractor.sequence.open_width and image.resize != "fixed":
        raise UserError(f"extractor {spec.extractor.name}: takes images of one width only; set image.resize to fixed")


def _check_steps(recognizer: Recognizer) -> None:
    spec = recognizer.spec
    if not recognizer.generator.framewise:
        return
    steps = int(recognizer.steps(np.array([spec.image.widest]))[0])
    if steps < spec.labels.max_length:
        raise UserError(
            f"{spec.name}: extractor {spec.extractor.name} gives {steps} steps, too few for {spec.generator.name} and "
            f"labels of {spec.labels.max_length}; widen the image or lower labels.max_length"
        )


def transform_of(spec: RecognizerSpec) -> Transform:
    """The resize policy that the spec names."""
    image = spec.image
    if image.resize == "fixed":
        return ResizeFixed(image.height, image.width, image.channels)
    return ResizeProportional(image.height, image.min_width, image.max_width, image.multiple, image.channels)
