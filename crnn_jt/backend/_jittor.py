"""Jittor under the names of the seam, its edges filed off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend import _jittor_fused, _jittor_layers, _jittor_ops
from crnn_jt.backend._jittor_ops import kernels
from data_tools.errors import UserError

jt = runtime.import_jittor()


nn = SimpleNamespace(
    Module=jt.nn.Module,
    Conv2d=_jittor_layers.Conv2d,
    ConvTranspose2d=jt.nn.ConvTranspose,
    BatchNorm2d=_jittor_layers.BatchNorm2d,
    LayerNorm=_jittor_layers.LayerNorm,
    Linear=jt.nn.Linear,
    Embedding=jt.nn.Embedding,
    LSTMCell=jt.nn.LSTMCell,
    GRUCell=jt.nn.GRUCell,
    BiLSTM=_jittor_layers.BiLSTM,
    Dropout=jt.nn.Dropout,
    set_buffer=_jittor_layers.set_buffer,
    set_parameter=_jittor_layers.set_parameter,
)

ops = SimpleNamespace(
    array=_jittor_ops.array,
    numpy=lambda x: x.numpy(),
    concat=jt.concat,
    stack=jt.stack,
    zeros=jt.zeros,
    uniform=lambda shape: jt.random(shape),
    relu=_jittor_ops.relu,
    relu6=lambda x: x.maximum(0).minimum(6),
    hardswish=lambda x: x * (x + 3).maximum(0).minimum(6) / 6,
    hardsigmoid=lambda x: (x + 3).maximum(0).minimum(6) / 6,
    gelu=jt.nn.gelu,
    tanh=jt.tanh,
    sigmoid=jt.sigmoid,
    exp=jt.exp,
    log=jt.log,
    clip=_jittor_ops.clip,
    round=_jittor_ops.round_even,
    softmax=jt.nn.softmax,
    log_softmax=jt.nn.log_softmax,
    argmax=lambda x, dim: jt.argmax(x, dim)[0],
    amax=lambda x, dim: x.max(dim),
    mean=lambda x, dims, keepdims=False: jt.mean(x, dims=dims, keepdims=keepdims),
    matmul=jt.nn.matmul,
    max_pool=_jittor_ops.max_pool,
    upsample_nearest=_jittor_ops.upsample_nearest,
    grid_sample=_jittor_ops.grid_sample,
    gather=_jittor_ops.gather,
    sample=_jittor_ops.sample,
    where=_jittor_ops.where,
    stop_gradient=lambda x: x.detach(),
    ctc_loss=_jittor_ops.ctc_loss,
)

fused = SimpleNamespace(
    sum_of_squares=_jittor_fused.sum_of_squares, adam=_jittor_fused.adam, average=_jittor_fused.average
)


def tensors(module) -> dict[str, jt.Var]:
    """Parameters and buffers by name, live."""
    return {name: value for name, value in module.named_parameters() if isinstance(value, jt.Var)}


def state(module) -> dict[str, np.ndarray]:
    """Parameters and buffers by name, as float32 arrays."""
    return {name: value.numpy().copy() for name, value in tensors(module).items()}


def load_state(module, arrays: dict[str, np.ndarray]) -> None:
    """Sets every parameter and buffer of `arrays`; names and shapes must have been checked."""
    own = tensors(module)
    for name, value in arrays.items():
        given = jt.array(np.asarray(value, np.float32))
        if given.numel() == 1:
            given.sync()  # Jittor cannot compile a pending one-element array into a broadcast over two axes
        own[name].update(given)


def buffers(module) -> dict[str, jt.Var]:
    """What is kept but not trained, by name: running statistics and whatever `nn.set_buffer` declared."""
    declared = {id(getattr(part, name)) for part in module.modules() for name in part.__dict__.get("_buffer_names", ())}
    return {name: value for name, value in tensors(module).items() if id(value) in declared}


def parameters(module) -> dict[str, jt.Var]:
    """What is trained, by name: everything that is no buffer (Jittor itself lists those as parameters too)."""
    kept = buffers(module)
    return {name: value for name, value in tensors(module).items() if name not in kept}


def gradients(loss, targets: list) -> list:
    """d loss / d target for each target, zeros for one that the loss does not depend on."""
    return jt.grad(loss, targets)


def assign(target, value) -> None:
    """Gives `target` a new value in place, outside the graph."""
    learns = not target.is_stop_grad()
    target.update(value)
    if learns:  # a value from within `no_grad` would stop the target's gradients for good
        target.start_grad()


@contextmanager
def replaced(module, arrays: dict[str, jt.Var]) -> Iterator[None]:
    """Inside, a module without children computes with these arrays in place of its own of the same names."""
    own = {name: getattr(module, name) for name in arrays}
    try:
        for name, value in arrays.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in own.items():
            setattr(module, name, value)


def no_grad() -> AbstractContextManager:
    """No graph is kept inside."""
    return jt.no_grad()


def seed(value: int) -> None:
    """Seeds the framework's own random numbers (dropout)."""
    jt.set_global_seed(value)


def flush() -> None:
    """Starts everything that was asked for, so that the graph does not grow from step to step."""
    jt.sync_all()


def synchronize() -> None:
    """Waits until everything that was asked for is computed; call before reading a clock."""
    jt.sync_all(True)


def to_device(module, device: str):
    """Chooses `cpu` or `cuda` for everything from now on. Raises UserError where Jittor has no CUDA."""
    if device == "cuda" and not jt.has_cuda:
        raise UserError("--device cuda: Jittor sees no usable CUDA here (python -m crnn_jt doctor); use --device cpu")
    jt.flags.use_cuda = int(device == "cuda")
    return module


def precision(name: str) -> AbstractContextManager:
    """The context in which the forward pass runs: float32; Jittor has no bfloat16 on the CPU."""
    if name != "float32":
        raise UserError(f"--precision {name}: Jittor trains in float32 here; use CRNN_BACKEND=torch for bfloat16")
    return nullcontext()


def run_stack(stack, x, widths: np.ndarray | None = None, taps: Sequence[int] = ()) -> tuple | None:
    """A plan of image layers that trains in the kernels' own layout, from the first layer to the last.

    `stack` is a module with a `plan` whose layers' modules are its attributes by place; x (N, C, H, W), `widths` (N,)
    its images' own. -> the value (N, C', H', W') with its widths, and such a pair for each place in `taps`. None where
    there is no such path and the layers must run one by one: without kernels, over several ranks, outside of training,
    where the kernels lack a layer, or where a module is of another type than the layer's own, a subclass for one.
    """
    if not kernels() or ranks.count > 1 or len(x.shape) != 4:
        return None
    from crnn_jt.backend.fast import units

    if not units.covers(stack, _jittor_layers.trains_plainly, taps):
        return None
    return units.run_stack(stack, x, widths, taps)


def _broadcast(module) -> None:
    if jt.in_mpi:
        module.mpi_param_broadcast(0)


ranks = SimpleNamespace(
    rank=jt.rank if jt.in_mpi else 0,
    count=jt.world_size if jt.in_mpi else 1,
    start=_broadcast,
    mean=lambda arrays: [a.mpi_all_reduce("mean") for a in arrays] if jt.in_mpi else arrays,
)
