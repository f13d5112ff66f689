"""Training: a run that was stopped goes on as if it had not been, and what is written can be trusted."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import backend
from crnn_jt.interruption import Interruption
from crnn_jt.weights import load_weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny


def losses(folder) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def validations(folder) -> list[tuple[int, float, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["ned"], line["cer"]) for line in lines if "ned" in line]


def noisy(image, rng):
    """An augmentation that uses its generator."""
    return image.rotate(float(rng.uniform(-5, 5)), fillcolor=255)


class Stop(Exception):
    """Ends a training abruptly, as SIGKILL would: nothing is written on the way out."""


class Watched:
    """A task that calls `before_losses(inputs)`, `after_step(step)` and `evaluate()` of a test on the way."""

    def __init__(self, task, before_losses=None, after_step=None, evaluate=None):
        self.task, self._losses, self._after, self._evaluate = task, before_losses, after_step, evaluate

    def __getattr__(self, name):
        return getattr(self.task, name)

    def losses(self, inputs):
        return self.task.losses(self._losses(inputs) or inputs if self._losses else inputs)

    def after_step(self, step):
        if self._after:
            self._after(step)

    def evaluate(self, loader):
        found = self._evaluate() if self._evaluate else None
        return self.task.evaluate(loader) if found is None else found


def watch(**calls):
    """For `tiny.trainer(wrap=…)`."""
    return lambda task: Watched(task, **calls)


def kill_after(step: int, folder, settings, **options) -> None:
    """Runs a trainer that is killed before the report of `step`."""

    def stop(now):
        if now == step:
            raise Stop

    with pytest.raises(Stop):
        tiny.trainer(folder, settings, wrap=watch(after_step=stop), **options).run()


SETTINGS = {
    "plain": tiny.config(ema=0.0, schedule="constant"),
    "everything": tiny.config(
        replace(tiny.model(), refiner=tiny.StageSpec("bilstm", {"hidden": 8, "depth": 2, "dropout": 0.3})),
        schedule="cosine",
        ema=0.95,
        clip=0.5,
        seed=5000,
    ),
    "attention": tiny.config(tiny.model(generator="attention")),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_killed_run_resumes_with_the_same_losses(name, tmp_path):
    """Shuffled, augmented, killed in the middle of an epoch, twice: the losses are those of a run never stopped."""
    settings, options = SETTINGS[name], {"augment": noisy}
    tiny.trainer(tmp_path / "whole", settings, **options).run()
    kill_after(5, tmp_path / "cut", settings, **options)
    kill_after(11, tmp_path / "cut", settings, resume=True, **options)
    tiny.trainer(tmp_path / "cut", settings, resume=True, **options).run()
    assert len(losses(tmp_path / "whole")) == settings.train.steps
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert validations(tmp_path / "cut") == validations(tmp_path / "whole")
    whole, cut = (load_weights(tmp_path / part / "last.safetensors") for part in ("whole", "cut"))
    assert all(np.array_equal(whole.arrays[key], cut.arrays[key]) for key in whole.arrays)


def test_an_interrupted_run_checkpoints_its_last_whole_step(tmp_path):
    """SIGTERM in the middle of a step: the step is finished, written down, and the rest follows on resume."""
    settings = tiny.config(checkpoint_every=100)
    tiny.trainer(tmp_path / "whole", settings).run()
    steps = itertools.count(1)

    def interrupt(inputs):
        if next(steps) == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    trainer = tiny.trainer(tmp_path / "cut", settings, wrap=watch(before_losses=interrupt))
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert losses(tmp_path / "cut")[-1][0] == 7
    resumed = tiny.trainer(tmp_path / "cut", settings, resume=True)
    assert resumed.progress.step == 7
    resumed.run()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert validations(tmp_path / "cut") == validations(tmp_path / "whole")


@pytest.mark.parametrize("step", [5, 12])
def test_an_interrupted_validation_keeps_the_weights_that_train(step, tmp_path):
    """While validating, the averaged weights stand in the model: the checkpoint must not take them for its own, and
    the validation is made up for on resume, at the end of a run too.
    """
    settings = tiny.config(checkpoint_every=100)
    tiny.trainer(tmp_path / "whole", settings).run()
    now = []

    def interrupt():
        if now[-1] == step:
            raise KeyboardInterrupt

    trainer = tiny.trainer(tmp_path / "cut", settings, wrap=watch(after_step=now.append, evaluate=interrupt))
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    tiny.trainer(tmp_path / "cut", settings, resume=True).run()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert validations(tmp_path / "cut") == validations(tmp_path / "whole")
    assert load_weights(tmp_path / "cut" / "best.safetensors").info["step"] > 0


def test_a_second_signal_breaks_in_and_leaves_no_half_step(tmp_path):
    """Two signals within one step: no checkpoint is made of what may be half updated."""
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt), interruption.held():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        assert not interruption.whole
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tmp_path):
    """A loss that is no number stops the run with one line; the checkpoint is from before it."""
    steps = itertools.count(1)

    def spoil(lines):
        return replace(lines, images=lines.images * np.float32(np.nan if next(steps) == 4 else 1))

    trainer = tiny.trainer(tmp_path / "run", tiny.config(checkpoint_every=2), wrap=watch(before_losses=spoil))
    with pytest.raises(UserError, match=r"at step 4.*; lower train\.learning_rate|at step 4: lower"):
        trainer.run()
    resumed = tiny.trainer(tmp_path / "run", tiny.config(checkpoint_every=2), resume=True)
    assert resumed.progress.step == 2
    assert all(np.isfinite(value).all() for value in backend.state(resumed.task.model).values())


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    """A step can leave NaN behind a finite loss; the checkpoint before it must survive."""
    trainer = tiny.trainer(tmp_path / "run", tiny.config())
    trainer.progress.step = 1
    trainer.checkpoint()
    good = trainer.folder.checkpoint.read_bytes()
    state = backend.state(trainer.task.model)
    state["generator.head.bias"][0] = np.inf
    backend.load_state(trainer.task.model, state)
    trainer.progress.step = 2
    with pytest.raises(UserError, match=r"generator.head.bias is not finite at step 2"):
        trainer.checkpoint()
    assert trainer.folder.checkpoint.read_bytes() == good


def test_labels_that_ctc_cannot_emit_are_counted_and_left_out(tmp_path, caplog):
    """A label too long for the steps would cost 1e30 and destroy the weights; it is counted, the rest trains."""
    labels = {0: "aaaaaa", 1: "abcdefgh", 3: "gh"}  # six repeats need eleven steps of ten; more than max_length
    settings = tiny.config(tiny.model(max_length=6), steps=4, validate_every=4)
    trainer = tiny.trainer(tmp_path / "run", settings, tiny.DrawnWords(4, labels), shuffle=False)
    trainer.run()
    assert trainer.progress.infeasible == 2 * 4
    assert all(np.isfinite(loss) and loss < 100 for _, loss in losses(tmp_path / "run"))


def test_a_batch_without_one_usable_label_changes_nothing(tmp_path):
    """All labels infeasible: no step of the optimiser, no division by zero, and the run goes on."""
    labels = dict.fromkeys(range(4), "aaaaaa")
    settings = tiny.config(tiny.model(max_length=6), steps=2, validate_every=2)
    trainer = tiny.trainer(tmp_path / "run", settings, tiny.DrawnWords(4, labels), shuffle=False)
    before = backend.state(trainer.task.model)
    trainer.run()
    after = backend.state(trainer.task.model)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_corrupt_and_refused_samples_are_named_and_skipped(tmp_path, caplog):
    """One torn picture and one label outside the character set: both named in the log, the others are trained on."""
    data = tiny.DrawnWords(18, {2: None, 5: "QQ"})
    trainer = tiny.trainer(tmp_path / "run", tiny.config(steps=4, validate_every=4), data, shuffle=False)
    with caplog.at_level(logging.WARNING):
        trainer.run()
    assert "drawn-2" in caplog.text and "drawn-5" in caplog.text
    assert trainer.progress.seen == 14


def test_the_policy_refuse_stops_with_the_label(tmp_path):
    """`outside: refuse` names the label and the remedy."""
    settings = tiny.config(tiny.model(outside="refuse"))
    trainer = tiny.trainer(tmp_path / "run", settings, tiny.DrawnWords(8, {2: "a!b"}), shuffle=False)
    with pytest.raises(UserError, match=r"'a!b'.*'!' is not in the character set.*labels.outside"):
        trainer.run()


def test_validation_counts_every_sample_once(tmp_path):
    """Six samples in batches of four: n is 6, not 4 and not 8."""
    trainer = tiny.trainer(tmp_path / "run", tiny.config(steps=1, validate_every=1))
    assert trainer.run()["n"] == 6


def test_the_best_weights_are_those_of_the_best_validation(tmp_path):
    """A worse validation later overwrites `last`, never `best`."""
    found = iter([10.0, 30.0, 20.0])

    def evaluate():
        return {"n": 6, "accuracy": next(found), "ned": 0.0, "cer": 0.0}, []

    tiny.trainer(tmp_path / "run", tiny.config(steps=15), wrap=watch(evaluate=evaluate)).run()
    best, last = (load_weights(tmp_path / "run" / f"{name}.safetensors") for name in ("best", "last"))
    assert (best.info["step"], best.info["validation"]["accuracy"]) == (10, 30.0)
    assert (last.info["step"], last.info["validation"]["accuracy"]) == (15, 20.0)
    assert best.spec == tiny.model() and best.info["data"] == "drawn"


def test_a_finished_run_resumes_to_nothing(tmp_path):
    """--resume of a run that is done trains no further and gives its last validation."""
    settings = tiny.config()
    scores = tiny.trainer(tmp_path / "run", settings).run()
    before = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert tiny.trainer(tmp_path / "run", settings, resume=True).run() == scores
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == before


def test_a_run_can_be_lengthened(tmp_path):
    """--resume with more --steps goes on to them."""
    settings = tiny.config(steps=5)
    tiny.trainer(tmp_path / "run", settings).run()
    longer = tiny.with_train(settings, steps=8)
    tiny.trainer(tmp_path / "run", longer, resume=True).run()
    assert [step for step, _ in losses(tmp_path / "run")] == list(range(1, 9))


def test_minutes_end_a_run_and_its_schedule(tmp_path):
    """--minutes: whatever the steps, the run ends when its time is up, validated, and the rate has come down."""
    settings = tiny.config(steps=10**9, warmup=0, validate_every=10**6, schedule="cosine")
    trainer = tiny.trainer(tmp_path / "run", settings)
    trainer.minutes = 1e-4
    assert trainer.run()["n"] == 6
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] for line in lines if "learning_rate" in line]
    assert rates[-1] == pytest.approx(settings.train.learning_rate * settings.train.final_fraction)


def test_the_curves_are_a_picture(tmp_path):
    """curves.png opens."""
    from PIL import Image

    tiny.trainer(tmp_path / "run", tiny.config(steps=2, validate_every=2)).run()
    with Image.open(tmp_path / "run" / "curves.png") as image:
        assert image.size == (900, 400)


def test_memory_stays_flat(tmp_path):
    """Two hundred further steps must not grow the process by more than noise."""

    def resident() -> float:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    sizes = {}
    settings = tiny.config(steps=300, log_every=1000, validate_every=1000, checkpoint_every=1000)

    def watched(step):
        sizes[step] = resident()

    trainer = tiny.trainer(tmp_path / "run", settings, wrap=watch(after_step=watched))
    trainer.run()
    assert sizes[300] - sizes[100] < 16, "MiB in 200 steps"
