"""What the seam offers must mean the same on both backends: a definition in numpy, and slopes by finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crnn_jt import backend, layers
from crnn_jt.backend import nn, ops
from crnn_jt.stack import Stack
from tests.crnn_jt import tiny

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((2, 4, 6, 8)).astype(np.float32)
ROWS = RNG.standard_normal((2, 3, 5)).astype(np.float32) * 2
POSITIVE = np.abs(ROWS) + 0.5
erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(x, weight, bias, stride, padding, groups=1, dilation=(1, 1)):
    """x (N, C, H, W), weight (out, C / groups, kh, kw) -> (N, out, H', W')."""
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    kernel = [(size - 1) * apart + 1 for size, apart in zip(weight.shape[2:], dilation)]
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))
    seen = seen[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    parts = zip(np.split(seen, groups, 1), np.split(weight, groups))
    return np.concatenate([np.einsum("ncijuv,ocuv->noij", *part) for part in parts], 1) + bias[:, None, None]


def transposed(x, weight, bias, stride, padding):
    """x (N, C, H, W), weight (C, out, kh, kw): every pixel sets down its kernel, the frame is cut off."""
    size = [(x.shape[axis + 2] - 1) * stride[axis] + weight.shape[axis + 2] for axis in (0, 1)]
    y = np.zeros((x.shape[0], weight.shape[1], *size))
    for i, j in np.ndindex(*x.shape[2:]):
        top, left = i * stride[0], j * stride[1]
        y[:, :, top : top + weight.shape[2], left : left + weight.shape[3]] += np.einsum(
            "nc,couv->nouv", x[:, :, i, j], weight
        )
    return y[:, :, padding[0] : size[0] - padding[0], padding[1] : size[1] - padding[1]] + bias[:, None, None]


def layer_norm(x, weight, bias):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * weight + bias


def gru_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    given, own = (np.split(v @ w.T + b, 3, 1) for v, w, b in ((x, weight_ih, bias_ih), (h, weight_hh, bias_hh)))
    reset, update = sigmoid(given[0] + own[0]), sigmoid(given[1] + own[1])
    return (1 - update) * np.tanh(given[2] + reset * own[2]) + update * h


def grid_sample(x, grid):
    y = np.zeros((*x.shape[:2], *grid.shape[1:3]))
    for n, i, j in np.ndindex(*grid.shape[:3]):
        across, down = (grid[n, i, j] + 1) / 2 * (x.shape[3] - 1, x.shape[2] - 1)
        for row, column in np.ndindex(*x.shape[2:]):
            share = max(0, 1 - abs(row - down)) * max(0, 1 - abs(column - across))
            y[n, :, i, j] += share * x[n, :, row, column]
    return y


def check(function, definition, *given, at=1e-4):
    """Values and slopes of `function` (framework arrays) are those of `definition` (numpy), at and around `given`."""
    arrays = [ops.array(np.asarray(value, np.float32)) for value in given]
    for value in arrays:
        if hasattr(value, "requires_grad_"):
            value.requires_grad_()
    given = [np.asarray(value, np.float64) for value in given]
    found, expected = function(*arrays), definition(*given)
    np.testing.assert_allclose(ops.numpy(found), expected, rtol=1e-4, atol=at)
    rng = np.random.default_rng(1)
    towards = rng.standard_normal(expected.shape)
    loss = (found * ops.array(towards.astype(np.float32))).sum()
    for position, slope in enumerate(map(ops.numpy, backend.gradients(loss, arrays))):
        for _ in range(3):
            way = rng.standard_normal(given[position].shape)
            ends = [[*given], [*given]]
            for end, sign in zip(ends, (1, -1)):
                end[position] = given[position] + sign * 1e-5 * way
            change = ((definition(*ends[0]) - definition(*ends[1])) * towards).sum() / 2e-5
            assert (slope * way).sum() == pytest.approx(change, rel=1e-3, abs=20 * at), f"slope of argument {position}"


def with_weights(module, *names):
    """A function of the input(s) and then of the module's weights `names`, and the shapes of those."""
    owned = backend.parameters(module)
    assert set(owned) == set(names)
    shapes = [tuple(owned[name].shape) for name in names]

    def call(*arrays):
        for name, value in zip(names, arrays[-len(names) :]):
            module.__dict__.get("_parameters", {}).pop(name, None)
            setattr(module, name, value)
        return module(*arrays[: -len(names)])

    rng = np.random.default_rng(2)
    return call, [rng.standard_normal(shape) * 0.5 for shape in shapes]


CONVOLUTIONS = {  # out channels, kernel, stride, padding, groups
    "depthwise": (4, (3, 3), (1, 1), (1, 1), 4),
    "depthwise 5x5, stride": (4, (5, 5), (2, 1), (2, 2), 4),
    "depthwise, twice the channels": (8, (3, 3), (1, 1), (1, 1), 4),
    "two groups": (6, (3, 3), (1, 2), (0, 1), 2),
    "one group": (6, (3, 3), (1, 1), (1, 1), 1),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution(case):
    """Depthwise convolutions once read the first channel only, in the right shape, on the CPU."""
    out, kernel, stride, padding, groups = CONVOLUTIONS[case]
    module = nn.Conv2d(4, out, kernel, stride, padding, groups=groups, bias=True)
    call, weights = with_weights(module, "weight", "bias")
    check(call, lambda x, w, b: convolve(x, w, b, stride, padding, groups), IMAGES, *weights)


def test_dilated_convolution():
    """As grouped ones: the kernels do not know it."""
    call, weights = with_weights(nn.Conv2d(4, 6, (3, 3), (1, 1), (2, 2), dilation=(2, 2)), "weight", "bias")
    check(call, lambda x, w, b: convolve(x, w, b, (1, 1), (2, 2), dilation=(2, 2)), IMAGES, *weights)


@pytest.mark.parametrize(("stride", "padding"), [((2, 2), (0, 0)), ((2, 1), (1, 1))])
def test_transposed_convolution(stride, padding):
    module = nn.ConvTranspose2d(4, 6, (2, 3), stride, padding, bias=True)
    call, weights = with_weights(module, "weight", "bias")
    check(call, lambda x, w, b: transposed(x, w, b, stride, padding), IMAGES[:, :, :3, :4], *weights)


def test_convolutions_without_bias():
    for module in (
        nn.Conv2d(4, 4, (3, 3), (1, 1), (1, 1), groups=4, bias=False),
        nn.ConvTranspose2d(4, 4, (2, 2), (2, 2), bias=False),
    ):
        assert set(backend.parameters(module)) == {"weight"}
        assert module(ops.array(IMAGES)).shape[1] == 4


def test_layer_norm():
    call, weights = with_weights(nn.LayerNorm(5), "weight", "bias")
    check(call, layer_norm, ROWS, *weights)


def test_layer_norm_far_from_zero():
    """E[x²] - E[x]² would leave no digit of the variance."""
    found = ops.numpy(nn.LayerNorm(5)(ops.array(ROWS + 3000)))
    np.testing.assert_allclose(found, layer_norm((ROWS + np.float32(3000)).astype(np.float64), 1, 0), atol=1e-3)


def test_gru_cell():
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    call, weights = with_weights(nn.GRUCell(5, 4), *names)
    check(call, gru_cell, ROWS[0], np.random.default_rng(3).standard_normal((3, 4)), *weights)


ELEMENTWISE = {
    "relu6": (lambda x: np.clip(x, 0, 6), 3 * ROWS),
    "hardsigmoid": (lambda x: np.clip(x / 6 + 0.5, 0, 1), 3 * ROWS),
    "hardswish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), 3 * ROWS),
    "gelu": (lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, ROWS),
    "exp": (np.exp, ROWS),
    "log": (np.log, POSITIVE),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions(name):
    definition, values = ELEMENTWISE[name]
    check(getattr(ops, name), definition, values)


def test_clip_between_numbers_and_learnt_bounds():
    """A learnt bound gets the slope of what it cuts off (PACT)."""
    check(lambda x: ops.clip(x, -1.0, 1.5), lambda x: np.clip(x, -1, 1.5), ROWS)
    check(lambda x, high: ops.clip(x, 0.0, high), lambda x, high: np.minimum(np.maximum(x, 0), high), ROWS, [1.25])


@pytest.mark.parametrize(("dims", "keepdims"), [((2,), True), ((0, 1), False)])
def test_mean(dims, keepdims):
    check(lambda x: ops.mean(x, dims, keepdims), lambda x: x.mean(dims, keepdims=keepdims), ROWS)


def test_matmul_of_heads():
    rng = np.random.default_rng(2)
    left, right = (rng.standard_normal(shape) for shape in ((2, 2, 3, 4), (2, 2, 4, 5)))
    check(ops.matmul, np.matmul, left, right)
    check(ops.matmul, np.matmul, left[0], right[0])


def test_upsample_nearest():
    check(lambda x: ops.upsample_nearest(x, (2, 3)), lambda x: x.repeat(2, 2).repeat(3, 3), IMAGES)


def test_sample():
    """As `grid_sample` of one picture, in pixels: places inside, shared, at the edge, beyond it."""
    places = np.float32([[0, 0], [1.25, 2.5], [1.25, 2.5], [-0.5, 1], [-3, -3], [6.75, 4.5], [40, 1]])
    grid = 2 * places[None, None].astype(np.float64) / (7, 5) - 1
    check(lambda x: ops.sample(x, places), lambda x: grid_sample(x[None], grid)[0, :, 0], IMAGES[0])


def test_grid_sample():
    """Corners are pixel centres; what lies outside is zero. A rectifier learns through the grid."""
    grid = np.random.default_rng(3).uniform(-1.3, 1.3, (2, 3, 4, 2))
    check(ops.grid_sample, grid_sample, IMAGES, grid)
    corners = np.float32([[-1, -1], [1, -1], [-1, 1], [1, 1]]).reshape(1, 1, 4, 2)
    found = ops.numpy(ops.grid_sample(ops.array(IMAGES[:1]), ops.array(corners)))
    np.testing.assert_allclose(found[0, :, 0], IMAGES[0][:, [0, 0, -1, -1], [0, -1, 0, -1]], rtol=1e-5)


def test_where():
    mask = ROWS > 0
    check(lambda a, b: ops.where(mask, a, b), lambda a, b: np.where(mask, a, b), ROWS, POSITIVE)
    check(lambda a: ops.where(mask[:, :, :1], a, -2.0), lambda a: np.where(mask[:, :, :1], a, -2.0), ROWS)


def test_gather():
    index = np.array([[0, 4, 2], [1, 1, 3]])
    check(lambda x: ops.gather(x, ops.array(index)), lambda x: np.take_along_axis(x, index[..., None], 2)[..., 0], ROWS)


def test_stop_gradient():
    x = ops.array(ROWS) * 1.0
    if hasattr(x, "requires_grad_"):
        x.requires_grad_()
    (slope,) = backend.gradients((x * ops.stop_gradient(x)).sum(), [x])
    np.testing.assert_allclose(ops.numpy(slope), ROWS, rtol=1e-6)


def test_uniform_numbers_follow_the_seed():
    """A resumed run draws the same noise."""
    drawn = []
    for _ in range(2):
        backend.seed(5)
        drawn.append(ops.numpy(ops.uniform((3, 50))))
    np.testing.assert_array_equal(*drawn)
    assert drawn[0].min() >= 0 and drawn[0].max() < 1 and 0.3 < drawn[0].mean() < 0.7


class Positioned(nn.Module):
    """A layer with a table that must not learn, an array that must, and statistics."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 5)
        self.norm = nn.BatchNorm2d(5)
        nn.set_buffer(self, "table", np.arange(15).reshape(3, 5))
        nn.set_parameter(self, "scale", np.array(2.0))

    def execute(self, x):
        return self.linear(x + self.table) * self.scale


@pytest.fixture
def positioned():
    return Positioned()


def test_buffers_are_kept_and_not_trained(positioned):
    """A position table once learned on one backend and not on the other."""
    kept = {"table", "norm.running_mean", "norm.running_var"}
    assert set(backend.buffers(positioned)) == kept
    assert set(backend.parameters(positioned)) == {"scale", "linear.weight", "linear.bias", "norm.weight", "norm.bias"}
    assert set(backend.tensors(positioned)) == kept | set(backend.parameters(positioned))
    np.testing.assert_array_equal(backend.state(positioned)["table"], np.arange(15).reshape(3, 5))


def test_buffers_are_loaded(positioned):
    """Through evaluation and back to training, as a run does it."""
    positioned.eval()
    arrays = {name: value + 1 for name, value in backend.state(positioned).items()}
    backend.load_state(positioned, arrays)
    positioned.train()
    for name, value in backend.state(positioned).items():
        np.testing.assert_array_equal(value, arrays[name], name)
    owned = backend.parameters(positioned)
    names = ["scale", "linear.weight"]
    slopes = backend.gradients(positioned(ops.array(ROWS)).sum(), [owned[name] for name in names])
    assert all(np.abs(ops.numpy(slope)).max() > 0 for slope in slopes)
    assert "table" in backend.buffers(positioned)


@pytest.mark.parametrize("available", [True, False])
def test_fused_passes_are_the_definitions(available, monkeypatch):
    """With kernels and without: the same step."""
    if not available:
        monkeypatch.setattr("crnn_jt.backend.fast.available", lambda: False)
    rng = np.random.default_rng(2)
    values = [[rng.standard_normal((3, 4)).astype(np.float32) for _ in range(2)] for _ in range(4)]
    values[3] = [np.abs(value) for value in values[3]]
    p, g, m, v = ([ops.array(value) for value in group] for group in values)
    np.testing.assert_allclose(
        ops.numpy(backend.fused.sum_of_squares(g)).item(), sum((x**2).sum() for x in values[1]), rtol=1e-5
    )
    settings = {"keep": 0.99, "decay": 0.0, "first": 0.9, "second": 0.99, "rate": 0.01, "correction": 2.0}
    with backend.no_grad():
        found = backend.fused.adam(p, g, list(zip(m, v)), ops.array(np.float32([0.5])), settings)
    for (new, first, second), p, g, m, v in zip(found, *values):
        m = m * 0.9 + g * 0.5 * 0.1
        v = v * 0.99 + (g * 0.5) ** 2 * 0.01
        np.testing.assert_allclose(ops.numpy(new), p * 0.99 - m / (np.sqrt(v * 2) + 1e-8) * 0.01, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ops.numpy(first), m, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ops.numpy(second), v, rtol=1e-5, atol=1e-6)
    own, others = ([ops.array(value) for value in group] for group in values[:2])
    with backend.no_grad():
        means = backend.fused.average(own, others, 0.75)
    for found, a, b in zip(means, *values[:2]):
        np.testing.assert_allclose(ops.numpy(found), a * 0.75 + b * 0.25, rtol=1e-5, atol=1e-6)


class Halved(nn.Conv2d):
    """A convolution that does more than its base: half of everything."""

    def execute(self, x):
        return super().execute(x) * 0.5 if backend.NAME == "jittor" else super().forward(x) * 0.5

    forward = execute


def test_plans_run_at_once_only_where_the_layers_do_the_same():
    """A pruned or quantised convolution must not be passed over in training; nor may a dilated one."""
    norm, x = nn.BatchNorm2d(4), ops.array(tiny.pictures())
    plan = (layers.Conv(1, 4, bias=False), layers.BatchNorm(4), layers.Activation("relu"), layers.MaxPool())
    for conv, expected in (
        (nn.Conv2d(1, 4, (3, 3), (1, 1), (1, 1), bias=False), backend.kernels()),
        (Halved(1, 4, (3, 3), (1, 1), (1, 1), bias=False), False),
        (nn.Conv2d(1, 4, (3, 3), (1, 1), (1, 1), dilation=(2, 2), bias=False), False),
    ):
        stack = Stack(plan)
        setattr(stack, "0", conv)
        setattr(stack, "1", norm)
        stack.train()
        found = backend.run_stack(stack, x)
        assert (found is not None) == expected
        if found is not None:
            plain = ops.max_pool(ops.relu(norm(conv(x))), (2, 2), (2, 2), (0, 0))
            np.testing.assert_allclose(ops.numpy(found[0][0]), ops.numpy(plain), rtol=1e-3, atol=1e-4)
        stack.eval()
        assert backend.run_stack(stack, x) is None
