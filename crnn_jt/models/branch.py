"""What spotters share: the branch that reads regions of their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crnn_jt import extractors, generators, refiners  # noqa: F401  (the stages register themselves)
from crnn_jt.backend import ops
from crnn_jt.distilling import log_likelihood
from crnn_jt.layers import Layer, Shape, cost
from crnn_jt.regions import widths_of
from crnn_jt.registry import EXTRACTORS, GENERATORS, REFINERS
from crnn_jt.spec import SpotterSpec
from crnn_jt.tokenizer import Tokenizer
from data_tools.errors import UserError

Quads = Sequence[Sequence[np.ndarray]]
"""Of each photograph of a batch its quads (4, 2), in pixels, from the top left as read."""


@dataclass(frozen=True)
class Words:
    """What stands in the photographs of a batch: the quads of each, and of all R regions in turn the columns that they
    get (R,), the symbols, targets (R, S) padded with 0 and their sizes (R,), and shares (R,) with which a sum is a mean
    over photographs.
    """

    quads: Quads
    widths: np.ndarray
    targets: np.ndarray
    sizes: np.ndarray
    shares: np.ndarray


class ReadsRegions:
    """The stages of a model that read regions cut out of its features: branch -> refiner -> generator.

    Between them pass: regions (R, C, height, W), with their own widths (R,); a sequence (T, R, D) with its lengths
    (R,); logits (T', R, K). A model of which this is a part offers `cut(features, quads, widths) -> regions`.
    """

    symbol_rows = ("generator.head.weight", "generator.head.bias", "generator.embedding.weight")

    def add_branch(self, spec: SpotterSpec, in_channels: int) -> None:
        """Makes the stages. Raises UserError where they do not fit together."""
        region, self.tokenizer = spec.region, Tokenizer(spec.labels)
        self.branch = EXTRACTORS.build_stage(spec.branch, in_channels=in_channels, height=region.height)
        height, steps = self.branch.out_shape(region.height, region.min_width)
        if height < 1 or steps < 1 or not self.branch.sequence.open_width:
            raise UserError(f"branch {spec.branch.name}: gives no sequence of regions {region.height} rows high")
        features = self.branch.sequence.features(self.branch.out_channels, int(height), int(steps))
        self.refiner = REFINERS.build_stage(spec.refiner, in_features=features)
        self.generator = GENERATORS.build_stage(
            spec.generator,
            in_features=self.refiner.out_features,
            classes=self.tokenizer.classes,
            max_length=spec.labels.max_length,
            rows=1,
        )

    def branch_layers(self) -> dict[str, Layer]:
        """Every layer of these stages that holds arrays, by its key: the stage's name first."""
        stages = {"branch": self.branch, "refiner": self.refiner, "generator": self.generator}
        return {f"{name}.{key}": layer for name, stage in stages.items() for key, layer in stage.named_layers().items()}

    def region_cost(self, columns: int, symbols: int) -> int:
        """Multiply-adds of one region of that many columns, read as that many symbols."""
        shape = Shape(self.branch.in_channels, self.spec.region.height, columns)
        steps = int(self.branch.out_shape(shape.height, columns)[1])
        branch = cost(self.branch.layers(), *shape) + cost(self.refiner.layers(), None, 1, steps)
        return branch + sum(
            layer.cost(1, steps if self.generator.framewise or name == "keys" else symbols + 1)
            for name, layer in self.generator.named_layers().items()
        )

    def steps(self, widths: np.ndarray) -> np.ndarray:
        """The step count of each region from its own width, (R,)."""
        size = self.branch.out_shape(self.spec.region.height, np.asarray(widths))
        return np.full(np.shape(widths), self.branch.sequence.steps(self.branch.out_channels, *size))

    def look_inside(self, features, quads: Quads, widths: np.ndarray) -> tuple:
        """The branch's features of all regions of a map as a sequence (T, R, D), and lengths (R,)."""
        return self.see(self.cut(features, quads, widths), widths)

    def see(self, regions, widths: np.ndarray) -> tuple:
        """Regions -> the branch's features as a sequence (T, R, D), and lengths (R,)."""
        same = bool((widths == regions.shape[3]).all())
        return self.branch.sequence.to_sequence(self.branch(regions, None if same else widths)), self.steps(widths)

    def refine(self, sequence, lengths: np.ndarray):
        """(T, R, D) -> (T, R, D')."""
        return self.refiner(sequence, None if bool((lengths == sequence.shape[0]).all()) else lengths)

    def generate(self, sequence, lengths: np.ndarray):
        """Logits (T', R, K) of a refined sequence."""
        return self.generator(sequence, lengths)

    def score(self, sequence, lengths: np.ndarray, words: Sequence[Sequence[int]]) -> np.ndarray:
        """log p(words[r] | region r), (R,), of a refined sequence."""
        return self.generator.score(sequence, lengths, words)

    def read(self, features, quads: Quads) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities (T', R, K) of all regions, and lengths (R,), as arrays; the module in eval mode."""
        widths = widths_of([quad for own in quads for quad in own], self.spec.region)
        sequence, lengths = self.look_inside(features, quads, widths)
        logits = self.generate(self.refine(sequence, lengths), lengths)
        return ops.numpy(ops.log_softmax(logits, 2)), lengths

    def freeze_refining(self, arrays: dict[str, np.ndarray]):
        """The branch on the CPU kernels up to the refined sequence."""
        return self.freeze_branch(arrays, whole=False)

    def freeze_branch(self, arrays: dict[str, np.ndarray], whole: bool = True):
        """A network from regions of one width (R, C, height, W) to logits (T', R, K); to the refined sequence where the
        kernels lack the generator, or where it is not to be `whole`.
        """
        from crnn_jt.freeze import begin_flow

        flow = begin_flow(self.branch.in_channels, arrays)
        flow.add_maps(self.branch.layers(), "branch.stack.")
        flow.become_sequence(self.branch.sequence)
        flow.add_sequence(self.refiner.layers(), "refiner.stack.")
        if whole and self.generator.whole:
            self.generator.emit(flow)
        return flow.finish()

    def text_loss(self, sequence, lengths: np.ndarray, words: Words):
        """-log p of the words of a refined sequence (T, R, D), times their shares."""
        logs = log_likelihood(self.generator, sequence, lengths, words.targets, words.sizes)
        return -(logs * ops.array(words.shares)).sum()
