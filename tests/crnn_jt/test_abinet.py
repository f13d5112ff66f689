"""ABINet's stages: as large as published, blind to what they must not see, and able to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import no_grad, ops, state
from crnn_jt.correctors.bcn import bcn_pieces, plan_cloze
from crnn_jt.extractors.resnet45 import plan_resnet45
from crnn_jt.generators.parallel import parallel_pieces, plan_keys
from crnn_jt.layers import arrays_of, buffers_of, out_shape, walk
from crnn_jt.models import build
from crnn_jt.reading import SequenceReader
from crnn_jt.refiners.transformer import plan_transformer
from crnn_jt.registry import CORRECTORS
from crnn_jt.spec import StageSpec, load_config
from crnn_jt.weights import Weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny

CORRECTOR = StageSpec("bcn", CORRECTORS.get("bcn").tiny)


def spec(extractor="light", refiner="identity", corrector=CORRECTOR, **more):
    return replace(tiny.model(extractor, refiner, "parallel", **more), corrector=corrector)


def count(named, trained=True) -> int:
    arrays, buffers = arrays_of(named), buffers_of(named)
    return sum(int(np.prod(shape)) for key, shape in arrays.items() if (key in buffers) != trained)


def test_the_published_model_has_its_parameters():
    """36.7 million trained (the paper's table 4, without its class for padding), counted without building anything."""
    model = load_config("abinet").model
    options = model.refiner.options
    transformer = plan_transformer(512, *(options[key] for key in ("depth", "heads", "hidden", "dropout")))
    options = model.corrector.options
    cloze = plan_cloze(512, *(options[key] for key in ("depth", "heads", "hidden", "dropout")))
    parts = [
        dict(walk(plan_resnet45(3, 1.0))),
        dict(walk(transformer)),
        {**dict(walk(plan_keys(512, 64, 8), "keys.")), **parallel_pieces(512, 37, 25)},
        {**dict(walk(cloze, "cloze.")), **bcn_pieces(512, 512, 37, 25)},
    ]
    assert [count(part) for part in parts] == [12994784, 9457152, 1094565, 13191242]
    assert out_shape(plan_resnet45(3, 1.0), 32, 128) == (8, 32)


@pytest.mark.parametrize("rows", [8, 4, 2, 1])
def test_the_unet_comes_back_to_its_size(rows):
    """Of a map one row high it strides along the row only."""
    assert out_shape(plan_keys(8, 4, rows), rows, 32) == (rows, 32)


@pytest.fixture(scope="module")
def model():
    return tiny.lively(build(spec()))


def test_no_place_sees_itself(model):
    """What language says of a place must not depend on what stood there, and does on what stands around it."""
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(9), size=(5, tiny.BATCH)).astype(np.float32)
    chances[:, :, 0] = 0  # nothing ends
    other = chances.copy()
    other[2] = rng.dirichlet(np.ones(9), size=tiny.BATCH)
    other[2, :, 0] = 0
    with no_grad():
        first, second = (ops.numpy(model.corrector.spell(ops.array(one))) for one in (chances, other))
    np.testing.assert_allclose(first[2], second[2], rtol=1e-5, atol=1e-6)
    assert np.abs(first[[0, 1, 3, 4]] - second[[0, 1, 3, 4]]).max() > 1e-4


def test_what_stands_after_the_end_is_not_seen(model):
    chances = np.zeros((5, tiny.BATCH, 9), np.float32)
    for place, symbol in enumerate((3, 4, 0, 5, 6)):
        chances[place, :, symbol] = 1
    other = np.roll(chances, 1, 2)
    other[:3] = chances[:3]
    with no_grad():
        first, second = (ops.numpy(model.corrector.spell(ops.array(one))) for one in (chances, other))
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


def test_losses_by_name_and_reading(model):
    """Vision, language and fusion, each logged; the last fusion is what is read and what scores a given word."""
    images, widths = tiny.pictures(), np.full(tiny.BATCH, 40)
    targets, sizes = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0], [8, 8, 2, 0]]), np.array([4, 2, 1, 3])
    with no_grad():
        losses = model.losses(ops.array(images), widths, targets, sizes)
        sequence, lengths = model.sequence(ops.array(images), widths)
        scores = model.score(sequence, lengths, [target[:size].tolist() for target, size in zip(targets, sizes)])
        last = ops.numpy(ops.log_softmax(model.corrector.iterate(model.generator, sequence, lengths)[2][-1], 2))
    assert set(losses) == {"vision", "language", "fusion"}
    assert all(float(ops.numpy(x).sum()) > 0 for x in losses.values())
    log_probs, _ = model.log_probs(images, widths)
    assert log_probs.shape == (5, tiny.BATCH, 9)
    np.testing.assert_allclose(log_probs, last, rtol=1e-4, atol=1e-4)
    for n, size in enumerate(sizes):
        own = [log_probs[t, n, targets[n, t]] for t in range(size)] + [log_probs[size, n, 0]]
        assert scores[n] == pytest.approx(sum(own), rel=1e-3)


def test_reads_with_the_corrector():
    """`crnn_jt.load` answers with the corrected text, alone as in company."""
    made = tiny.lively(build(spec(image=tiny.PROPORTIONAL)))
    reader = SequenceReader(Weights(state(made), made.spec), "tiny")
    words = [tiny.draw(tiny.word(n), (24 + 8 * (n % 4), 32)) for n in range(4)]
    together = reader.read(words)
    alone = [reader.read([word])[0] for word in words]
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], rel=1e-3)


def test_ctc_is_refused_by_name():
    with pytest.raises(UserError, match=r"corrector bcn: corrects generators that answer by place \(parallel\); CTC"):
        build(replace(tiny.model(), corrector=CORRECTOR))
    with pytest.raises(UserError, match="iterations take 1 or more"):
        build(spec(corrector=StageSpec("bcn", {**CORRECTOR.options, "iterations": 0})))


def test_learns_eight_words_by_heart(tmp_path):
    """Vision, language and fusion together; a gradient that goes nowhere, or a mask the wrong way round, shows here."""
    wide = StageSpec("bcn", {"depth": 1, "heads": 2, "hidden": 32, "iterations": 2, "dropout": 0.0})
    learnt = replace(
        spec("light", corrector=wide),
        extractor=StageSpec("light", {"width": 0.25}),
        generator=StageSpec("parallel", {"channels": 16}),
    )
    once = dict.fromkeys(("steps", "validate_every", "checkpoint_every"), 120)
    settings = tiny.config(learnt, **once, batch_size=8, learning_rate=0.01, weight_decay=0.0, warmup=5, ema=0.0)
    words = tiny.DrawnWords(8)
    scores = tiny.trainer(tmp_path / "run", settings, words, words).run()
    assert scores["accuracy"] >= 60, scores  # as a rule all; one that does not look at the pictures has one of eight
