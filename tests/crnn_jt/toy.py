"""A model kind and a task of their own, as an addition would bring them: how long is the word in the picture?

`python -m tests.crnn_jt.toy train …` is the command line with both registered.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from crnn_jt.backend import nn, ops
from crnn_jt.layers import Linear
from crnn_jt.models import MODELS, Model
from crnn_jt.spec import ModelSpec, register_kind
from crnn_jt.tasks import TASKS, Task
from data_tools.loader import TextLines
from data_tools.transforms import ResizeFixed


@register_kind("toy")
@dataclass(frozen=True)
class ToySpec(ModelSpec):
    """A picture of 32 x `columns`."""

    columns: int = 40


@MODELS.register("toy")
class Toy(Model):
    """Images (N, 1, 32, columns) -> lengths (N,), linear in the ink of each column."""

    task = "length"

    def __init__(self, spec: ToySpec):
        super().__init__()
        self.spec, self.head = spec, nn.Linear(spec.columns, 1)

    def named_layers(self):
        return {"head": Linear(self.spec.columns, 1)}

    def execute(self, images):
        return self.head(images.mean(2).reshape((images.shape[0], self.spec.columns))).reshape((images.shape[0],))


@dataclass(frozen=True)
class Words:
    images: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@TASKS.register("length")
class Length(Task):
    """Learns the length of each word by its squared and its absolute error; `most` is the longest that is learnt."""

    best, weights = "close", {"absolute": 0.5}

    def __init__(self, model, config, most: int = 9):
        super().__init__(model, config)
        self.most = most

    def collate(self, training):
        return TextLines(ResizeFixed(32, self.model.spec.columns))

    def usable(self, batch):
        lengths = np.array([len(text) for text in batch.texts], np.float32)
        kept = lengths <= self.most
        return Words(batch.images[kept], lengths[kept]), int((~kept).sum())

    def stand_in(self, batch):
        return Words(np.zeros((1, 1, 32, self.model.spec.columns), np.float32), np.ones(1, np.float32))

    def losses(self, inputs):
        off = self.model(ops.array(inputs.images)) - ops.array(inputs.lengths)
        return {"square": (off * off).mean(), "absolute": off.abs().mean()}

    def evaluate(self, loader):
        pairs = [(ops.numpy(self.model(ops.array(b.images))), b.texts) for b in loader.batches() if len(b)]
        off = np.concatenate([found - [len(text) for text in texts] for found, texts in pairs])
        return {"n": len(off), "close": 100 * float((np.abs(off) < 1).mean())}, []


if __name__ == "__main__":
    from crnn_jt.__main__ import COMMANDS
    from data_tools.cli import main

    sys.exit(main("crnn_jt", __doc__, COMMANDS))
