"""PyTorch under the names of the seam: the guest, for parity checks, GPU or bfloat16 training, benches and export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np

from data_tools.errors import UserError

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise UserError(
        "CRNN_BACKEND=torch: PyTorch is not installed; pip install 'crnn-jt[torch]' (checkout: make .venv-torch/ready)"
    ) from error

_device = torch.device("cpu")


class Module(torch.nn.Module):
    """Lets a module in the Jittor dialect, which defines `execute`, be called by PyTorch."""

    def forward(self, *args, **kwargs):
        return self.execute(*args, **kwargs)

    def is_training(self) -> bool:
        """Whether `train()` was said last, and not `eval()`."""
        return self.training


class BiLSTM(torch.nn.LSTM):
    """Bidirectional LSTM, (T, N, in) -> (T, N, 2·hidden); `lengths` (N,) int array or None for all T steps."""

    def __init__(self, in_features: int, hidden: int):
        super().__init__(in_features, hidden, bidirectional=True)

    def forward(self, x: torch.Tensor, lengths: np.ndarray | None = None) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):  # sums over many steps stay float32
            x = x.float()
            if lengths is None:
                return super().forward(x)[0]
            steps = torch.from_numpy(np.asarray(lengths, np.int64))
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, steps, enforce_sorted=False)
            output = super().forward(packed)[0]
            return torch.nn.utils.rnn.pad_packed_sequence(output, total_length=x.shape[0])[0]


def _array(values: np.ndarray) -> torch.Tensor:
    kind = torch.float32 if np.asarray(values).dtype.kind == "f" else torch.int64
    copy = torch.tensor(np.ascontiguousarray(values), dtype=kind)  # a copy, as on Jittor
    if _device.type == "cpu":
        return copy
    return copy.pin_memory().to(_device, non_blocking=True)  # else each array would wait for all work before it


def _ctc_loss(logits, targets: np.ndarray, lengths: np.ndarray, target_lengths: np.ndarray):
    """Negative log likelihood of each sample, (N,); logits (T, N, K), targets (N, S)."""
    log_probs = torch.log_softmax(logits.float(), 2)
    steps, sizes = (torch.from_numpy(np.asarray(v, np.int64)) for v in (lengths, target_lengths))
    return functional.ctc_loss(log_probs, _array(targets), steps, sizes, blank=0, reduction="none")


class Conv2d(torch.nn.Conv2d):
    """PyTorch's convolution; one that only skips pixels has them cut out first.

    oneDNN's gradient of a channels-last 1x1 convolution with strides writes beyond its memory on processors without
    AVX-512 (PyTorch 2.13: `free(): invalid next size`).
    """

    def forward(self, x):
        if self.kernel_size != (1, 1) or self.stride == (1, 1) or self.padding != (0, 0):
            return super().forward(x)
        down, across = self.stride
        return functional.conv2d(x[:, :, ::down, ::across], self.weight, self.bias, groups=self.groups)


def _set_buffer(module: torch.nn.Module, name: str, array: np.ndarray) -> None:
    """Gives `module` an array that is kept with its weights, under `name`, and never trained."""
    module.register_buffer(name, _array(np.atleast_1d(array).astype(np.float32)))


def _set_parameter(module: torch.nn.Module, name: str, array: np.ndarray) -> None:
    """Gives `module` an array that is trained, under `name`."""
    module.register_parameter(name, torch.nn.Parameter(_array(np.atleast_1d(array).astype(np.float32))))


def _clip(x, low, high):
    """min(max(x, low), high); bounds are numbers or arrays, which then have their own slopes."""
    low, high = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in (low, high))
    return torch.clamp(x, low, high)


def _upsample_nearest(x, factors: tuple[int, int]):
    """x (N, C, H, W) -> (N, C, H·factors[0], W·factors[1]), every value repeated."""
    return x.repeat_interleave(factors[0], 2).repeat_interleave(factors[1], 3)


def _grid_sample(x, grid):
    """x (N, C, H, W) read at grid (N, H', W', 2) of (across, down) in [-1, 1] -> (N, C, H', W').

    Bilinear; -1 and 1 are the centres of the outermost pixels, beyond them is zero. Differentiable in both.
    """
    return functional.grid_sample(x.float(), grid.float(), "bilinear", "zeros", align_corners=True)


def _sample(x, places: np.ndarray):
    """x (C, H, W) read at places float32 (P, 2) of (across, down) in its pixels, 0 the centre of the first -> (C, P).

    Bilinear, zero outside; differentiable in x.
    """
    last = np.maximum(np.array([x.shape[2], x.shape[1]]) - 1, 1)
    return _grid_sample(x.unsqueeze(0), _array(np.float32(2 * places / last - 1))[None, None])[0, :, 0]


def _where(mask, a, b):
    """`a` where the mask holds (booleans, numpy or array), else `b`; `a` or `b` may be a number; shapes broadcast."""
    mask = torch.from_numpy(mask).to(_device) if isinstance(mask, np.ndarray) else mask
    return torch.where(mask, a, b)


nn = SimpleNamespace(
    Module=Module,
    Conv2d=Conv2d,
    ConvTranspose2d=torch.nn.ConvTranspose2d,
    BatchNorm2d=torch.nn.BatchNorm2d,
    LayerNorm=torch.nn.LayerNorm,
    Linear=torch.nn.Linear,
    Embedding=torch.nn.Embedding,
    LSTMCell=torch.nn.LSTMCell,
    GRUCell=torch.nn.GRUCell,
    BiLSTM=BiLSTM,
    Dropout=torch.nn.Dropout,
    set_buffer=_set_buffer,
    set_parameter=_set_parameter,
)

ops = SimpleNamespace(
    array=_array,
    numpy=lambda x: x.detach().float().cpu().numpy(),
    concat=torch.cat,
    stack=torch.stack,
    zeros=lambda shape: torch.zeros(shape, device=_device),
    uniform=lambda shape: torch.rand(shape, device=_device),
    relu=torch.relu,
    relu6=functional.relu6,
    hardswish=functional.hardswish,
    hardsigmoid=functional.hardsigmoid,
    gelu=functional.gelu,
    tanh=torch.tanh,
    sigmoid=torch.sigmoid,
    exp=torch.exp,
    log=torch.log,
    clip=_clip,
    round=torch.round,
    softmax=torch.softmax,
    log_softmax=lambda x, dim: torch.log_softmax(x.float(), dim),
    argmax=torch.argmax,
    amax=torch.amax,
    mean=lambda x, dims, keepdims=False: torch.mean(x, dims, keepdims),
    matmul=torch.matmul,
    max_pool=functional.max_pool2d,
    upsample_nearest=_upsample_nearest,
    grid_sample=_grid_sample,
    gather=lambda x, index: x.gather(-1, index.unsqueeze(-1)).squeeze(-1),
    sample=_sample,
    where=_where,
    stop_gradient=lambda x: x.detach(),
    ctc_loss=_ctc_loss,
)


def tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, live."""
    return {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}


def state(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """Parameters and buffers by name, as float32 arrays."""
    return {key: value.float().cpu().numpy().copy() for key, value in tensors(module).items()}


def load_state(module: torch.nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Sets every parameter and buffer of `arrays`; names and shapes must have been checked."""
    with torch.no_grad():
        own = module.state_dict()
        for key, value in arrays.items():
            own[key].copy_(torch.from_numpy(np.array(value, np.float32)))


def buffers(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is kept but not trained, by name: running statistics and whatever `nn.set_buffer` declared."""
    return {key: value for key, value in module.named_buffers() if not key.endswith("num_batches_tracked")}


def parameters(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is trained, by name."""
    return dict(module.named_parameters())


def gradients(loss: torch.Tensor, targets: list[torch.Tensor]) -> list[torch.Tensor]:
    """d loss / d target for each target, zeros for one that the loss does not depend on."""
    return list(torch.autograd.grad(loss, targets, materialize_grads=True))


def assign(target: torch.Tensor, value: torch.Tensor) -> None:
    """Gives `target` a new value in place, outside the graph."""
    if value is not target:
        target.data.copy_(value)


@contextmanager
def replaced(module: torch.nn.Module, arrays: dict[str, torch.Tensor]) -> Iterator[None]:
    """Inside, a module without children computes with these arrays in place of its own of the same names."""
    own, flat = dict(module._parameters), getattr(module, "_flat_weights", None)
    for name, value in arrays.items():
        del module._parameters[name]
        module.__dict__[name] = value
    if flat is not None:  # PyTorch's LSTM keeps a list of its own
        module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]
    try:
        yield
    finally:
        for name in arrays:
            del module.__dict__[name]
        module._parameters.update(own)
        if flat is not None:
            module._flat_weights = flat


def no_grad() -> AbstractContextManager:
    """No graph is kept inside."""
    return torch.no_grad()


def seed(value: int) -> None:
    """Seeds the framework's own random numbers (dropout)."""
    torch.manual_seed(value)


def flush() -> None:
    """Starts everything that was asked for: PyTorch has already."""


def synchronize() -> None:
    """Waits until everything that was asked for is computed; call before reading a clock."""
    if _device.type == "cuda":
        torch.cuda.synchronize()


def to_device(module: torch.nn.Module, device: str) -> torch.nn.Module:
    """Moves the module, and all arrays made from now on, to `cpu` or `cuda`. Raises UserError where there is no
    CUDA.
    """
    global _device
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch sees no usable GPU here; use --device cpu")
    _device = torch.device(device)
    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")  # TF32, as cuDNN has it anyway
    return module.to(_device).to(memory_format=torch.channels_last)


def precision(name: str) -> AbstractContextManager:
    """The context in which the forward pass runs: float32 or bfloat16 (autocast)."""
    return torch.autocast(_device.type, torch.bfloat16) if name == "bfloat16" else nullcontext()


def kernels() -> bool:
    """Whether reading goes through the CPU kernels: they are Jittor's here, PyTorch shows its own speed."""
    return False


def run_stack(stack, x, widths: np.ndarray | None = None, taps: Sequence[int] = ()) -> None:
    """Where there are kernels, a plan that trains on them as a whole; here never: None."""


def _sum_of_squares(arrays: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(torch._foreach_norm(arrays)).square().sum().reshape(1)


def _laid_out(arrays: list[torch.Tensor], others: list[torch.Tensor]) -> list[torch.Tensor]:
    """`arrays` in the memory layout of `others`, for good: only then is a pass over all of them one kernel."""
    for array, other in zip(arrays, others):
        if array.stride() != other.stride():
            array.data = torch.empty_like(other).copy_(array)
    return arrays


def _adam(parameters: list, gradients: list, slots: list[tuple], scale, settings: dict[str, float]) -> list[tuple]:
    first, second = (_laid_out([own[k] for own in slots], parameters) for k in (0, 1))
    torch._foreach_mul_(parameters, settings["keep"])
    gradients = torch._foreach_mul(_laid_out(gradients, parameters), scale.reshape(()))
    if settings["decay"]:
        torch._foreach_add_(gradients, parameters, alpha=settings["decay"])
    torch._foreach_mul_(first, settings["first"])
    torch._foreach_add_(first, gradients, alpha=1 - settings["first"])
    torch._foreach_mul_(second, settings["second"])
    torch._foreach_addcmul_(second, gradients, gradients, 1 - settings["second"])
    roots = torch._foreach_sqrt(torch._foreach_mul(second, settings["correction"]))
    torch._foreach_add_(roots, 1e-8)
    torch._foreach_addcdiv_(parameters, first, roots, -settings["rate"])
    return [(p, *own) for p, own in zip(parameters, slots)]


def _average(averages: list, values: list, decay: float) -> list:
    _laid_out(averages, values)
    torch._foreach_mul_(averages, decay)
    torch._foreach_add_(averages, values, alpha=1 - decay)
    return averages


fused = SimpleNamespace(sum_of_squares=_sum_of_squares, adam=_adam, average=_average)
ranks = SimpleNamespace(rank=0, count=1, start=lambda module: None, mean=lambda arrays: arrays)
