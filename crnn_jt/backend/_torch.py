"""PyTorch under the names of the seam: the guest, for parity checks, GPU or bfloat16 training, benches and export."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace

import numpy as np

from data_tools.errors import UserError

try:
    import torch
    from torch.nn import functional
except ImportError as error:
    raise UserError("CRNN_BACKEND=torch: PyTorch is not installed; pip install -r requirements-torch.txt") from error

_device = torch.device("cpu")


class Module(torch.nn.Module):
    """Lets a module in the Jittor dialect, which defines `execute`, be called by PyTorch."""

    def forward(self, *args, **kwargs):
        return self.execute(*args, **kwargs)


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


nn = SimpleNamespace(
    Module=Module,
    Conv2d=torch.nn.Conv2d,
    BatchNorm2d=torch.nn.BatchNorm2d,
    Linear=torch.nn.Linear,
    Embedding=torch.nn.Embedding,
    LSTMCell=torch.nn.LSTMCell,
    BiLSTM=BiLSTM,
    Dropout=torch.nn.Dropout,
)

ops = SimpleNamespace(
    array=_array,
    numpy=lambda x: x.detach().float().cpu().numpy(),
    concat=torch.cat,
    stack=torch.stack,
    zeros=lambda shape: torch.zeros(shape, device=_device),
    relu=torch.relu,
    hardswish=functional.hardswish,
    tanh=torch.tanh,
    sigmoid=torch.sigmoid,
    softmax=torch.softmax,
    log_softmax=lambda x, dim: torch.log_softmax(x.float(), dim),
    argmax=torch.argmax,
    amax=torch.amax,
    max_pool=functional.max_pool2d,
    pick=lambda x, index: x.gather(-1, index.unsqueeze(-1)).squeeze(-1),
    ctc_loss=_ctc_loss,
)


def tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights and running statistics by name, live."""
    return {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}


def state(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """Weights and running statistics by name, as float32 arrays."""
    return {key: value.float().cpu().numpy().copy() for key, value in tensors(module).items()}


def load_state(module: torch.nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Sets every weight and running statistic; names and shapes must have been checked."""
    with torch.no_grad():
        own = module.state_dict()
        for key, value in arrays.items():
            own[key].copy_(torch.from_numpy(np.array(value, np.float32)))


def parameters(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What is trained, by name."""
    return dict(module.named_parameters())


def gradients(loss: torch.Tensor, targets: list[torch.Tensor]) -> list[torch.Tensor]:
    """d loss / d target for each target."""
    return list(torch.autograd.grad(loss, targets))


def assign(target: torch.Tensor, value: torch.Tensor) -> None:
    """Gives `target` a new value in place, outside the graph."""
    if value is not target:
        target.data.copy_(value)


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


def place(module: torch.nn.Module, device: str) -> torch.nn.Module:
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


def _averaged(averages: list, values: list, decay: float) -> list:
    _laid_out(averages, values)
    torch._foreach_mul_(averages, decay)
    torch._foreach_add_(averages, values, alpha=1 - decay)
    return averages


_AT_ONCE = SimpleNamespace(sum_of_squares=_sum_of_squares, adam=_adam, averaged=_averaged)


def at_once() -> SimpleNamespace:
    """The passes over all parameters in a few calls for all of them; see `fast/update.py`."""
    return _AT_ONCE


ranks = SimpleNamespace(rank=0, count=1, start=lambda module: None, mean=lambda arrays: arrays)
