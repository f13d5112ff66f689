"""The stages of a recogniser before its generator, kept as they are while the others learn.

No gradient goes back through them, so that they are run as for reading: on the CPU kernels where there are any.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops, state
from crnn_jt.models.recognizer import Recognizer
from crnn_jt.reading import by_width

KEPT = ("rectifier", "extractor", "refiner")


class FrozenStages:
    """What a recogniser sees, by the weights that it has when it is first asked."""

    def __init__(self, model: Recognizer):
        self.model = model

    @cached_property
    def network(self):
        """The stages on the CPU kernels, or None."""
        from crnn_jt.freeze import try_freeze

        return try_freeze(self.model, state(self.model), "refining")

    def see(self, images: np.ndarray, widths: np.ndarray) -> tuple:
        """Images float32 (N, C, H, W) and their own widths (N,) -> a refined sequence (T, N, D) of the backend and the
        numbers (N,) of steps that count; what stands beyond them says nothing.
        """
        if self.network is None:
            self._keep_statistics()
            with backend.no_grad():
                return self.model.sequence(ops.array(images), widths)
        lengths = self.model.steps(widths)
        sequence = np.zeros((lengths.max(), len(images), self.model.refiner.out_features), np.float32)
        for rows in by_width(widths):
            seen = self.network.run(np.ascontiguousarray(images[rows][..., : widths[rows[0]]]))
            sequence[: len(seen), rows] = seen
        return ops.array(sequence), lengths

    def _keep_statistics(self) -> None:
        """Those of batch norms are used as they are: a training's `train()` reaches all modules."""
        for name in KEPT:
            stage = getattr(self.model, name)
            if stage is not None:
                stage.eval()
