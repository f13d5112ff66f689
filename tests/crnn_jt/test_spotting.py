"""Spotters on the kernels: what is found and read must be what the framework's own operators find and read."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from crnn_jt.backend import NAME, state
from crnn_jt.models import build
from crnn_jt.spec import RegionSpec, StageSpec
from crnn_jt.spotting import SpotReader
from crnn_jt.weights import Weights
from tests.crnn_jt import tiny

pytestmark = pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the kernels are its")

SLANTED = np.float32([[20, 12], [52, 20], [50, 40], [18, 30]])
QUADS = [SLANTED, SLANTED[[3, 0, 1, 2]], SLANTED / 2 + 30, SLANTED - 25]
"""Slanted, on its side, small, and cut off by the edge of the photograph."""


def readers(spec) -> tuple[SpotReader, SpotReader]:
    """A spotter with random weights on the kernels, and on the framework's operators."""
    weights = Weights(state(tiny.lively(build(spec, 2))), spec)
    return SpotReader(weights, "tiny"), SpotReader(weights, "tiny", fast=False)


def photograph(height: int = 64, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 1), np.uint8)


@pytest.mark.parametrize("generator", ["attention", "attention, gru", "ctc", "encoder_decoder"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_kernels_find_and_read_what_the_framework_does(generator, masked):
    """The map of text, and of each region text and confidence, with a lexicon and without."""
    head = StageSpec("db", {"doublings": 1 + masked})
    spec = replace(tiny.spotter(), region=RegionSpec(8, 8, 32, 8, masked), head=head)
    spec = replace(spec, generator=StageSpec(generator.split(",")[0], tiny.GENERATORS[generator]))
    frozen, plain = readers(spec)
    assert frozen.network is not None and frozen.reader.network is not None
    assert plain.network is None and plain.reader.network is None
    pixels = photograph()
    found, expected = (reader._look(pixels[:, :, 0]) for reader in (frozen, plain))
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4)
    seen = set()
    for lexicon in (None, ["abba", "cafe", "dad"]):
        ours, theirs = (reader.read_in_place(pixels, 1.0, QUADS, lexicon, "none") for reader in (frozen, plain))
        assert [one.text for one in ours] == [one.text for one in theirs]
        seen |= {one.text for one in ours}
        assert [one.confidence for one in ours] == pytest.approx([one.confidence for one in theirs], rel=1e-3)
    assert seen - {""}


def test_a_region_gives_the_same_bits_alone_and_beside_any_others():
    frozen, _ = readers(tiny.spotter())
    pixels = photograph()
    regions = np.concatenate([regions for rows, regions in frozen._cut(pixels[:, :, 0], [SLANTED] * 3 + QUADS[:1])])
    together = frozen.reader.network.run(regions)
    (_, alone), *_ = frozen._cut(pixels[:, :, 0], [SLANTED])
    np.testing.assert_array_equal(alone[0], regions[1])
    np.testing.assert_array_equal(frozen.reader.network.run(alone)[:, 0], together[:, 2])


def test_what_the_kernels_lack_is_named_and_the_rest_runs_on_them(caplog):
    """The two-stage head stays on Jittor's operators; regions of its features are read by the kernels."""
    head = StageSpec("proposals", {"hidden": 32, "proposals": 8})
    spec = replace(tiny.spotter(), neck=StageSpec("levels", {"inner": 8}), head=head)
    with caplog.at_level(logging.INFO):
        frozen, plain = readers(spec)
    assert "tiny, spotting: runs on Jittor's own operators; the fast kernels lack the head proposals" in caplog.text
    assert frozen.network is None and frozen.reader.network is not None
    ours, theirs = (reader.read_in_place(photograph(), 1.0, QUADS, None, "none") for reader in (frozen, plain))
    assert [one.text for one in ours] == [one.text for one in theirs]
