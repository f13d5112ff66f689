"""Detection in two stages: boxes and anchors, what is learnt from, and that a spotter with it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import boxes
from crnn_jt.backend import NAME, ops
from crnn_jt.detecting import Resolution, TextDetector
from crnn_jt.heads.proposals import TextBoxes, _choose, _Truths
from crnn_jt.layers import Shape
from crnn_jt.models import build, construct
from crnn_jt.necks.levels import PyramidLevels
from crnn_jt.regions import cut_boxes, level_of
from crnn_jt.spec import RegionSpec, StageSpec
from crnn_jt.weights import load_weights
from data_tools.images import open_file
from data_tools.sample import Region
from tests.crnn_jt import tiny
from tests.crnn_jt.test_spotter import coordinates, learn

QUAD = np.float32([[20, 12], [52, 20], [50, 40], [18, 30]])


def test_offsets_say_a_box_and_give_it_back():
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 100, (20, 2, 2)), 1)
    some, anchors = corners.reshape(20, 4).astype(np.float32), np.roll(corners, 3, 0).reshape(20, 4).astype(np.float32)
    np.testing.assert_allclose(boxes.decode(boxes.encode(some, anchors), anchors), some, atol=1e-2)


def test_overlaps_and_what_is_suppressed():
    """A third shared of two neighbours; of boxes that say the same the best stays."""
    some = np.float32([[0, 0, 2, 2], [1, 0, 3, 2], [0, 0, 2, 1.9], [8, 8, 9, 9]])
    shared = boxes.overlaps(some, some)
    assert shared[0, 1] == pytest.approx(1 / 3) and shared[0, 2] == pytest.approx(0.95) and shared[0, 3] == 0
    kept = boxes.suppress(some, np.array([0.5, 0.9, 0.7, 0.1]), 0.5, 10)
    assert kept.tolist() == [1, 2, 3]
    assert boxes.suppress(some, np.array([0.5, 0.9, 0.7, 0.1]), 0.5, 1).tolist() == [1]


def test_anchors_stand_on_their_places():
    """Row by row, the shapes of a place together, as the head's answers are laid out; each of the level's area."""
    anchors = boxes.make_anchors([(2, 3), (1, 1)], [4, 8])
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2
    count = len(boxes.RATIOS)
    assert len(anchors) == count * 7
    assert middles[::count].tolist() == [[2, 2], [6, 2], [10, 2], [2, 6], [6, 6], [10, 6], [4, 4]]
    areas = (anchors[:, 2:] - anchors[:, :2]).prod(1)
    np.testing.assert_allclose(areas, [32**2] * 6 * count + [64**2] * count, rtol=1e-4)


def test_a_mask_draws_a_quad_and_gives_it_back():
    """Within a pixel or two of the mask, whichever way the quad leans."""
    leaning = np.float32([[20, 12], [60, 22], [56, 38], [16, 28]])
    box = boxes.around(leaning)
    found = boxes.outline(boxes.draw_mask(leaning, box, 28) > 0, box, 0.9)
    assert found.score == 0.9 and np.abs(found.quad - leaning).max() < 2.5, found.quad
    nothing = boxes.outline(np.zeros((28, 28), bool), box, 0.9)
    assert np.abs(boxes.around(nothing.quad) - box).max() < 1e-3


def test_boxes_are_cut_from_the_level_of_their_size():
    """Large ones from coarse levels; each square says where in the photograph it lies, whatever the level."""
    levels = [ops.array(coordinates(256 // stride, stride)) for stride in (4, 8, 16)]
    chosen = np.float32([[8, 8, 40, 24], [0, 0, 250, 250]])
    assert level_of(chosen, 3).tolist() == [0, 1]
    found = ops.numpy(cut_boxes(levels, [chosen], 4, 4))
    for square, (left, top, right, bottom) in zip(found, chosen):
        middle = square.mean((1, 2))
        assert middle == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=0.5)
        assert square[0, 0, -1] - square[0, 0, 0] == pytest.approx(0.75 * (right - left), rel=0.05)


def test_what_is_not_judged_teaches_nothing():
    """Anchors on text are positive, the best of each word always; those on what is not legible are left out."""
    made = TextBoxes(4)([Region(QUAD, "a"), Region(QUAD + 60, "b", legible=False)], 128, 128)
    truths = _Truths(made["quads"], made["kinds"])
    some = np.stack([boxes.around(QUAD), boxes.around(QUAD + 60), boxes.around(QUAD + 200), boxes.around(QUAD + 14)])
    kinds, own, _ = truths.label(some, 0.7, 0.3)
    assert kinds.tolist() == [1, -1, 0, 0] and np.array_equal(own[0], some[0])
    kinds, _, _ = truths.label(some[2:] - 186, 0.9, 0.3)  # none overlaps by so much: the best is taken
    assert kinds.max() == 1
    weights = _choose(np.float32([[9, 1, 2, 3, 4]]), np.array([[1, -1, 0, 0, 0]]))
    assert weights[0].tolist() == [0.25, 0, 0.25, 0.25, 0.25]


def test_a_neck_has_a_level_for_each_size_and_one_more():
    neck = PyramidLevels((8, 12, 16), inner=10)
    shapes = [Shape(8, 16, 24), Shape(12, 8, 12), Shape(16, 4, 6)]
    assert neck.out_shape(shapes) == [(10, 16, 24), (10, 8, 12), (10, 4, 6), (10, 2, 3)]
    lateral = 16 * 24 * 8 * 10 + 8 * 12 * 12 * 10 + 4 * 6 * 16 * 10
    assert neck.cost(shapes) == lateral + 9 * 10 * 10 * (4 * 6 + 8 * 12 + 16 * 24)


def two_stage():
    """The paper's spotter, narrow, for photographs of 64x64."""
    spec = tiny.spotter()
    return replace(
        spec,
        extractor=StageSpec("resnet50", {"width": 0.125, "units": [1, 1, 1, 1]}),
        neck=StageSpec("levels", {"inner": 16}),
        head=StageSpec("proposals", {"hidden": 32, "proposals": 8}),
        branch=StageSpec("region", {"channels": 24}),
        refiner=StageSpec("bilstm", {"hidden": 24, "depth": 1}),
        generator=StageSpec("attention", {"hidden": 24, "attention": 24, "embedding": 8}),
        region=RegionSpec(8, 32, 32, 8, masked=True),
    )


def test_the_paper_s_spotter_learns_small_photographs(tmp_path):
    """Its losses fall; it finds most of four words and reads them, as a rule all and by chance none; its weights are a
    detector for `ocr read`. Jittor compiles for each number of boxes, and is left at a few steps.
    """
    task, _, scores, first, last = learn(two_stage(), tmp_path, 120 if NAME == "torch" else 3, 0.005)
    assert set(last) == {"loss", "propose", "place", "tell", "refine", "mask", "text"}
    assert all(np.isfinite(value) for value in last.values())
    if NAME != "torch":
        return
    assert all(last[name] < first[name] for name in last), (first, last)
    assert scores["recall"] >= 50 and scores["end_to_end"] >= 40, scores
    path = tmp_path / "two_stage.safetensors"
    tiny.save(path, task.model)
    detector = TextDetector(load_weights(path), str(path))
    near = []
    for number in range(4):
        found = detector.find(open_file(tmp_path / "set" / "image" / f"{number}.png"), Resolution(1.0))
        centre = 22 + 5 * number, 18 + 7 * number  # of the word
        near.append(any(np.abs(one.quad.mean(0) - centre).max() < 6 for one in found))
    assert sum(near) >= 2, near


def test_it_finds_nothing_where_there_is_nothing():
    """A fresh one does not break on what it sees, and losses of a photograph without text are finite."""
    model = build(two_stage(), 1)
    empty = np.zeros((2, 1, 64, 64), np.float32)
    targets = {name: np.float32(value)[None].repeat(2, 0) for name, value in TextBoxes()((), 64, 64).items()}
    losses = model.head.losses(model.features(ops.array(empty)), targets)
    assert all(np.isfinite(ops.numpy(value)).all() for value in losses.values())
    model.eval()
    found = model.find(model.features(ops.array(empty)), np.array([[64, 64], [40, 64]]))
    assert len(found) == 2
    assert construct(two_stage()).cost(128, 128) > construct(two_stage()).cost(64, 64) > 0
