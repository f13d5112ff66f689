"""Stages that are kept as they are while the generator learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import ops, state
from crnn_jt.frozen_stages import FrozenStages
from crnn_jt.learner import Learner
from crnn_jt.models import build
from crnn_jt.spec import ImageSpec, StageSpec
from crnn_jt.tasks import task_of
from crnn_jt.tasks.recognition import Lines
from tests.crnn_jt import tiny

PROPORTIONAL = ImageSpec(height=32, width=40, resize="proportional", min_width=32, max_width=64, multiple=8)
FROZEN = StageSpec("recognition", {"frozen": True})


def inputs(widths: list[int]) -> Lines:
    """Pictures of those widths in one batch, and words to learn."""
    images = np.ascontiguousarray(tiny.pictures(len(widths), 64))
    for image, width in zip(images, widths):
        image[..., width:] = 0
    targets = np.tile(np.array([[1, 2]]), (len(widths), 1))
    return Lines(images, np.array(widths), targets, np.full(len(widths), 2))


@pytest.mark.parametrize("generator", ["ctc", "parallel"])
def test_the_generator_learns_and_nothing_before_it_changes(generator):
    """Not even the statistics of batches."""
    model = tiny.lively(build(tiny.model("light", "bilstm", generator, PROPORTIONAL), 0))
    task = task_of(model, replace(tiny.config(model.spec), task=FROZEN))
    before = {name: array.copy() for name, array in state(model).items()}
    learner = Learner(task, tiny.config(model.spec, ema=0.0).train)
    model.train()
    losses = [float(ops.numpy(learner.step(inputs([40, 64, 40, 48]), 0.01, n)[0]["loss"]).sum()) for n in range(1, 9)]
    assert losses[-1] < losses[0]
    changed = {name for name, array in state(model).items() if not np.array_equal(array, before[name])}
    assert changed and all(name.startswith("generator.") for name in changed)


def test_what_is_seen_is_what_the_model_sees_when_it_reads():
    """Of pictures of several widths in one batch, each as if it were alone."""
    model = tiny.lively(build(tiny.model("light", "bilstm", "ctc", PROPORTIONAL), 0))
    model.train()
    batch = inputs([40, 64, 40, 48])
    seen, lengths = FrozenStages(model).see(batch.images, batch.widths)
    model.eval()
    for n, width in enumerate(batch.widths):
        alone, [steps] = model.sequence(ops.array(batch.images[n : n + 1, ..., :width]), batch.widths[n : n + 1])
        assert steps == lengths[n]
        np.testing.assert_allclose(ops.numpy(seen)[:steps, n], ops.numpy(alone)[:, 0], atol=1e-4)
