"""What the speed benches time: a model ready to read, and one whole training step.

A job is a dict that names the model: `weights` (a bundled name or file) or else `config` (fresh weights), and `model`,
its name.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

LABEL_LENGTH = 8  # symbols of a label in the training steps: about a word's


def load_models(configs: list[str], weights: list[str]) -> dict[str, tuple]:
    """Models by name: the `Config`, and what a job names the model's weights by. Raises UserError for unknown ones."""
    from crnn_jt.spec import Config, load_config
    from crnn_jt.weights import load_weights

    models = {Path(name).stem: (load_config(name), {"config": name, "weights": ""}) for name in configs}
    for name in weights:
        models[Path(name).stem] = (Config(load_weights(name).spec), {"config": "", "weights": name})
    return models


def load_job_weights(job: dict):
    """The model's weights: of a file, or fresh ones of a configuration (the same numbers on every backend)."""
    from crnn_jt import backend
    from crnn_jt.models import build
    from crnn_jt.spec import load_config
    from crnn_jt.weights import Weights, load_weights

    if job["weights"]:
        return load_weights(job["weights"])
    spec = load_config(job["config"]).model
    return Weights(backend.state(build(spec)), spec)


def load_job_reader(job: dict, fast: bool):
    """The model ready to read; `fast` False keeps to the framework's own operators."""
    from crnn_jt.reading import SequenceReader

    return SequenceReader(load_job_weights(job), job["model"], fast)


def load_job_network(job: dict, fast: bool) -> Callable[[np.ndarray], np.ndarray]:
    """What a detector or a classifier of direction makes of images (N, C, H, W): probabilities; `fast` False keeps to
    the framework's own operators.
    """
    from crnn_jt import backend
    from crnn_jt.freeze import try_freeze
    from crnn_jt.models import restore

    weights = load_job_weights(job)
    model = restore(weights, job["model"])
    network = try_freeze(model, weights.arrays) if fast else None

    def look(images: np.ndarray) -> np.ndarray:
        with backend.no_grad():
            return model.probabilities(images, network)

    return look


def reads_lines(job: dict) -> bool:
    """Whether the model is a recogniser."""
    return load_job_weights(job).spec.kind == "recognizer"


def make_training_step(job: dict, images: np.ndarray) -> Callable[[], float]:
    """A function that does one whole step as `train` does: forward, loss, gradients, optimiser, weight average; returns
    the loss. images (N, C, H, W).
    """
    from crnn_jt import backend
    from crnn_jt.learner import Learner
    from crnn_jt.models import build
    from crnn_jt.spec import Config, TrainSpec
    from crnn_jt.tasks import task_of
    from crnn_jt.tasks.recognition import Lines

    recognizer = build(load_job_weights(job).spec)
    recognizer.train()
    spec = TrainSpec()
    learner = Learner(task_of(recognizer, Config(recognizer.spec, spec)), spec)
    rng, count = np.random.default_rng(0), len(images)
    widths = np.full(count, images.shape[3])
    # at most half as long as the sequence, so that CTC can align any repeats
    longest = min(LABEL_LENGTH, recognizer.spec.labels.max_length, max(1, int(recognizer.steps(widths)[0]) // 2))
    targets, sizes = rng.integers(1, recognizer.tokenizer.classes, (count, longest)), np.full(count, longest)
    lines, numbers = Lines(images, widths, targets, sizes), itertools.count(1)

    def step() -> float:
        losses, _ = learner.step(lines, 1e-4, next(numbers))
        backend.synchronize()
        return float(backend.ops.numpy(losses["loss"]).sum())

    return step
