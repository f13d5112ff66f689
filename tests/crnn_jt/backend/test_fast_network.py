"""Every way in which a convolution can be done when reading gives what the definition gives, and the same bits."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crnn_jt.backend import NAME
from crnn_jt.backend.fast import build
from crnn_jt.backend.fast.network import Network
from crnn_jt.layers import Conv, MaxPool
from data_tools.transforms import normalise
from tests.crnn_jt.test_freeze import assert_close
from tests.oracle.plan import evaluate

THREE = (3, 3, 1, 1, 1, 1)  # kernel, stride, padding
TWO = (2, 2, 1, 1, 0, 0)
INSTRUCTIONS = {"SSE2": ("-march=x86-64",), "this machine's": build.NATIVE}


def convolution(window, channels_in, channels_out, pool=(1, 1), method="winograd", library=None):
    """A network of one convolution, and its definition: images (N, C, H, W) -> (N, O, H, W)."""
    rng = np.random.default_rng(channels_in)
    kernel, stride, padding = window[:2], window[2:4], window[4:]
    scale = np.sqrt(channels_in * kernel[0] * kernel[1])
    weight = (rng.standard_normal((channels_out, channels_in, *kernel)) / scale).astype(np.float32)
    bias = rng.standard_normal(channels_out).astype(np.float32)
    network = Network(channels_in, library)
    network.conv(0, 1, window, weight, bias, pool=pool, method=method)
    plan = (Conv(channels_in, channels_out, kernel, stride, padding), MaxPool(pool, pool))
    state = {"0.weight": weight, "0.bias": bias}

    def run(images):
        steps = network.run_directly(images)  # (W, N, O·H)
        return steps.reshape(*steps.shape[:2], channels_out, -1).transpose(1, 2, 3, 0)

    return run, lambda images: evaluate(plan if pool != (1, 1) else plan[:1], state, images)


def pictures(count, channels, height, width):
    return np.random.default_rng(width).standard_normal((count, channels, height, width)).astype(np.float32)


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
@pytest.mark.parametrize("pool", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("channels, method", [(18, "winograd"), (1, "rule")])
def test_tiles_of_every_width_and_pooling_give_the_definition(channels, method, pool, instructions):
    run, definition = convolution(THREE, channels, 20, pool, method, build.load(INSTRUCTIONS[instructions]))
    for width in (2, 5, 11, 14, 25):  # sticking out, all tiles wide, both widths
        images = pictures(2, channels, 7, width)
        assert_close(run(images), definition(images))


@pytest.mark.parametrize("instructions", INSTRUCTIONS)
@pytest.mark.parametrize("window", [TWO, (2, 2, 1, 1, 1, 1), (1, 2, 1, 1, 0, 0)])
def test_kernels_two_wide_give_the_definition(window, instructions):
    run, definition = convolution(window, 18, 20, library=build.load(INSTRUCTIONS[instructions]))
    for width in (2, 4, 9):
        images = pictures(2, 18, 3, width)
        assert_close(run(images), definition(images))


@pytest.mark.parametrize(
    "window, channels",
    [(THREE, (40, 130)), (THREE, (170, 170)), (TWO, (70, 130))],
    ids=["weights that fit into a cache", "large weights", "two wide"],
)
def test_an_image_gives_the_same_bits_alone_and_among_others(window, channels):
    """Alone, the kernels are transformed while it runs; among others, before."""
    run, definition = convolution(window, *channels)
    images = pictures(12, channels[0], 8, 14)
    together = run(images)
    for chosen in (slice(0, 1), slice(5, 7), slice(11, 12)):
        np.testing.assert_array_equal(run(images[chosen]), together[chosen])
    assert_close(together[:1], definition(images[:1]))


@pytest.mark.skipif(os.cpu_count() == 1, reason="one processor")
def test_the_number_of_threads_changes_no_bit(tmp_path):
    import subprocess
    import sys

    program = (
        "import sys, numpy as np\n"
        "from tests.crnn_jt.backend.test_fast_network import *\n"
        "runs = [convolution(THREE, 170, 170)[0], convolution(THREE, 40, 60)[0], convolution(TWO, 70, 60)[0]]\n"
        "found = [run(pictures(n, c, 8, 14)).ravel() for run, c in zip(runs, (170, 40, 70)) for n in (1, 9)]\n"
        "from tests.crnn_jt.test_freeze_layers import ODD, run_plan\n"
        "found += [run_plan(*ODD[name], count).ravel() for name in ODD for count in (1, 5)]\n"
        "from tests.crnn_jt.backend.test_fast_targets import stages\n"
        "found += [logits.ravel() for logits in stages(None)]\n"
        "np.save(sys.argv[1], np.concatenate(found))\n"
    )
    for threads in "12":
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", program, str(tmp_path / f"{threads}.npy")]
        subprocess.run(command, env=environment, check=True, cwd=Path(__file__).parents[3])
    np.testing.assert_array_equal(np.load(tmp_path / "1.npy"), np.load(tmp_path / "2.npy"))


def maps_of(channels: int, seed: int) -> Network:
    """A pyramid of two sizes on pictures of so many channels: 8 maps at half their size."""
    rng = np.random.default_rng(seed)
    network = Network(channels)
    shapes = [((5, 5, 2, 2, 2, 2), channels, 8, 0, 1), (THREE, 8, 8, 1, 2), (THREE, 8, 8, 2, 3)]
    for window, before, after, source, target in shapes:
        weight = rng.standard_normal((after, before, *window[:2])).astype(np.float32) / 5
        network.conv(source, target, window, weight, rng.standard_normal(after).astype(np.float32), "relu")
    network.pool(3, 4, (2, 2, 2, 2, 0, 0))
    network.upsample(4, 5, (2, 2))
    network.add(5, 6, 2, None)
    network.end_maps("maps")
    return network


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the network runs as its operator")
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_levels_are_read_as_the_scaled_and_padded_picture_is(channels):
    """Of few channels a pixel is not padded to whole vectors; beside and below the picture there are zeros."""
    levels = np.random.default_rng(0).integers(0, 256, (2, 11, 14, channels), np.uint8)
    padded = np.zeros((2, channels, 16, 24), np.float32)
    padded[:, :, :11, :14] = normalise(levels).transpose(0, 3, 1, 2)
    network = maps_of(channels, 1)
    assert_close(network.run_levels(levels, 16, 24), network.run(padded))
    for wrong in (levels.astype(np.float32), levels[..., :0], np.repeat(levels, 2, axis=1)):
        with pytest.raises(ValueError):
            network.run_levels(wrong, 16, 24)


def test_networks_that_share_their_memory_do_not_disturb_each_other():
    """In turn, with pictures of all sizes, and at the same time from several threads."""
    networks = [maps_of(3, 1), maps_of(5, 2)]
    images = [pictures(2, network.channels, side, side) for network in networks for side in (16, 48, 32)]
    pairs = list(zip([network for network in networks for _ in range(3)], images))
    expected = [maps_of(image.shape[1], 1 + (image.shape[1] == 5)).run_directly(image) for image in images]
    order = np.random.default_rng(3).permutation(60) % len(pairs)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda place: pairs[place][0].run_directly(pairs[place][1]), order))
    for place, maps in zip(order, found):
        np.testing.assert_array_equal(maps, expected[place])
