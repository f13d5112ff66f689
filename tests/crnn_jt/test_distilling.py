"""What a teacher passes on: its likeliest texts, whatever its generator; and that a student learns from them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.decoding import ctc
from crnn_jt.decoding.beams import search_frames, search_places
from crnn_jt.distilling import follow, search, share_out
from crnn_jt.learner import Learner
from crnn_jt.models import build
from crnn_jt.registry import CORRECTORS
from crnn_jt.spec import Config, StageSpec, TrainSpec
from crnn_jt.tasks import task_of
from data_tools.errors import UserError
from data_tools.loader import Loader
from tests.crnn_jt import tiny

ALL = [text for size in range(4) for text in product((1, 2), repeat=size)]
"""Every text of up to three of two symbols."""


def draw(steps: int, pictures: int, seed: int = 0) -> np.ndarray:
    """Log-probabilities (T, N, 3)."""
    logits = 2 * np.random.default_rng(seed).standard_normal((steps, pictures, 3))
    return logits - np.log(np.exp(logits).sum(2, keepdims=True))


@pytest.mark.parametrize("compiled", ["1", "0"])
def test_ctc_passes_on_its_likeliest_texts_with_their_whole_probability(compiled, monkeypatch):
    """All alignments of a text count, not the best one: as if every text had been scored."""
    from crnn_jt.decoding import native

    monkeypatch.setenv("CRNN_NATIVE", compiled)
    native.library.cache_clear()
    log_probs, lengths = draw(3, 5), np.array([3, 3, 2, 3, 1])
    found = search_frames(log_probs, lengths, 3)
    native.library.cache_clear()
    for n, own in enumerate(found):
        scores = ctc.forward_scores(log_probs[: lengths[n], n], *ctc.pad(ALL))
        best = np.argsort(-scores)[:3]
        assert [text for text, _ in own] == [ALL[place] for place in best]
        np.testing.assert_allclose([score for _, score in own], scores[best], rtol=1e-9)


def test_places_pass_on_their_likeliest_texts():
    """The product of the chances of a text's symbols and of its end, as sums of logarithms."""
    log_probs = draw(4, 6, seed=1)
    for n, own in enumerate(search_places(log_probs, 3)):
        scores = np.array([sum(log_probs[t, n, k] for t, k in enumerate((*text, 0))) for text in ALL])
        best = np.argsort(-scores)[:3]
        assert [text for text, _ in own] == [ALL[place] for place in best]
        np.testing.assert_allclose([score for _, score in own], scores[best], rtol=1e-9)


@pytest.mark.parametrize("generator", ["attention", "encoder_decoder"])
def test_decoders_pass_on_their_likeliest_texts(generator):
    """A beam as wide as there are prefixes finds what scoring every text finds: states follow their prefixes."""
    spec = tiny.model("light", "bilstm", generator, max_length=2, characters="ab")
    recognizer = tiny.lively(build(spec, 3))
    texts = [text for size in range(3) for text in product((1, 2), repeat=size)]
    with backend.no_grad():
        sequence, lengths = recognizer.sequence(ops.array(tiny.pictures(3)), np.full(3, 40))
        found = search(recognizer.generator, sequence, lengths, 7)
        scores = np.array([recognizer.score(sequence, lengths, [text] * 3) for text in texts])  # (7, N)
    for n, own in enumerate(found):
        order = np.argsort(-scores[:, n])
        assert [text for text, _ in own] == [texts[place] for place in order]
        np.testing.assert_allclose([score for _, score in own], scores[order, n], atol=1e-4)


def test_texts_are_weighted_by_their_probability():
    """Texts that the student cannot write are left out, and where none is left, the label is learnt."""
    told = [[((1, 2), np.log(0.6)), ((1,), np.log(0.2)), ((), np.log(0.1))], [((), 0.0)]]
    texts, shares = share_out(told, [(3,), (4,)], 3, lambda number, text: bool(text))
    assert texts == [(1, 2), (4,), (1,), (4,), (3,), (4,)]
    np.testing.assert_allclose(shares, [[0.75, 1], [0.25, 0], [0, 0]], atol=1e-6)


@pytest.mark.parametrize("generator", tiny.GENERATORS)
def test_what_a_student_follows_is_the_likelihood_of_what_was_told(generator):
    """Every generator can learn from a teacher, and what is descended is what scoring the texts gives."""
    recognizer = tiny.lively(build(tiny.model("light", "bilstm", generator), 3))
    told = [[((1, 2), -0.1), ((1,), -1.0)], [((3, 1), -0.5), ((2,), -0.7)]]
    with backend.no_grad():
        sequence, lengths = recognizer.sequence(ops.array(tiny.pictures(2)), np.full(2, 40))
        texts, shares = share_out(told, [(1,), (1,)], 2, lambda number, text: True)
        loss = float(ops.numpy(follow(recognizer.generator, sequence, lengths, texts, shares / 2)).sum())
        each = [recognizer.score(sequence, lengths, texts[2 * k : 2 * k + 2]) for k in range(2)]
    assert loss == pytest.approx(-float((np.array(each) * shares).sum()) / 2, rel=1e-3)


def prepare(tmp_path, student, teacher, **options):
    """A task that trains a student of a spec, the batch of its words, and the teacher's weights."""
    path = tiny.write_weights(tmp_path / "teacher.safetensors", teacher, alive=True)
    spec = TrainSpec(steps=60, batch_size=8, learning_rate=0.01, warmup=0, schedule="constant", ema=0.0, augment=False)
    config = Config(student, spec, task=StageSpec("distillation", {"teacher": path, **options}))
    task = task_of(build(student, 1), config)
    batch = next(Loader(tiny.DrawnWords(8), task.collate(True), 8, accept=task.accept).batches())
    return task, batch


@pytest.mark.parametrize("by", ["sequences", "logits"])
def test_a_student_learns_from_its_teacher_alone(by, tmp_path):
    """Without labels the losses of what the teacher reads and of its features fall; the teacher stays as it is."""
    spec = tiny.model(max_length=8)
    task, batch = prepare(tmp_path, spec, spec, by=by, labels=0.0, scale=0.5)
    before, learner, first = backend.state(task.teacher), Learner(task, task.config.train), None
    task.model.train()
    for step in range(1, 26):
        inputs, _ = task.usable(batch)
        losses, _ = learner.step(inputs, 0.01, step)
        values = {name: float(ops.numpy(value).sum()) for name, value in losses.items()}
        first = first or values
    assert set(values) == {"loss", "teacher", "features", "hidden"}
    assert values["loss"] < 0.8 * first["loss"], (first, values)
    assert values["teacher"] < first["teacher"] and values["features"] < 0.8 * first["features"], (first, values)
    assert all(np.array_equal(value, before[name]) for name, value in backend.state(task.teacher).items())


def test_the_student_sees_less(tmp_path):
    """At a scale of 0.5 its pictures are of the same size, with less in them; the teacher's are as they were."""
    task, batch = prepare(tmp_path, tiny.model(), tiny.model(), scale=0.5)
    inputs, _ = task.usable(batch)
    plain, _ = task_of(task.model, replace(task.config, task=None)).usable(batch.parts[1])
    assert inputs.lines.images.shape == inputs.images.shape
    assert np.array_equal(inputs.images, plain.images)
    edges = [np.abs(np.diff(images, axis=3)).mean() for images in (inputs.lines.images, inputs.images)]
    assert 0.2 * edges[1] < edges[0] < 0.8 * edges[1]


CORRECTED = replace(tiny.model("light", "identity", "parallel"), corrector=StageSpec("bcn", CORRECTORS.get("bcn").tiny))


@pytest.mark.parametrize(
    "student, teacher, options, said",
    [
        (tiny.model(), tiny.model(characters="abc"), {}, "reads other symbols than tiny"),
        (tiny.model(), CORRECTED, {}, "has a corrector"),
        (tiny.model(), tiny.model("light", "bilstm", "attention"), {"by": "logits"}, "distil by sequences"),
        (tiny.model(), tiny.detector(), {}, "is a detector, not a recognizer"),
        (tiny.model(), tiny.model(), {"by": "guesses"}, "sequences or logits"),
        (tiny.model(), tiny.model(), {"scale": 0.0}, "scale 0"),
    ],
)
def test_who_cannot_teach_whom_is_said_in_one_line(student, teacher, options, said, tmp_path):
    with pytest.raises(UserError, match=said):
        prepare(tmp_path, student, teacher, **options)
