"""The seam: the only place that imports a framework, chosen once per process by `CRNN_BACKEND` (jittor or torch).

Jittor is the dialect: modules define `execute`, sequences are (T, N, C), arrays that only steer (lengths, widths,
targets, masks) stay numpy until an operator needs them. Both backends export these names:

    nn             layers with PyTorch's names, arguments and keys; BiLSTM takes the lengths of its sequences;
                   set_parameter, set_buffer (module, name, array): arrays that are trained, that are only kept
    ops            functions of arrays, differentiable; array (numpy -> framework) and numpy (back), uniform [0, 1);
                   gather (one value of the last axis at each place), max_pool, upsample_nearest, grid_sample
                   (bilinear, corners aligned, zero outside), sample (the same at listed places, gradients in one
                   order), where, stop_gradient, ctc_loss (of each sample), round (half to even; without a slope)
    parameters     what is trained, by name          buffers     what is kept but not trained, by name
    tensors        both, live                        state       both, as numpy
    load_state     numpy -> both                     gradients   of a loss, by a list of arrays
    assign         a new value in place, outside the graph (PyTorch's copy_, Jittor's own word)
    no_grad        no graph inside                   seed        of dropout and uniform
    replaced       a module with other arrays in place of its own, inside
    flush          start what is asked for           synchronize wait for it, before a clock is read
    to_device      cpu or cuda, from now on          precision   the context of a forward pass: float32 or bfloat16
    fused          passes over all parameters in one call (foreach): sum_of_squares, adam, average
    kernels        whether the CPU kernels run       run_stack   a plan that trains on them as a whole, else None
    ranks          of MPI: rank, count, start (the same weights everywhere), mean (of gradients)
    NAME           of the backend, for reports
"""

from __future__ import annotations

import os

from data_tools.errors import UserError

NAME = os.environ.get("CRNN_BACKEND", "jittor")
if NAME == "jittor":
    from crnn_jt.backend import _jittor as _chosen
elif NAME == "torch":
    from crnn_jt.backend import _torch as _chosen
else:
    raise UserError(f"CRNN_BACKEND={NAME}: no such backend; set it to jittor or torch")

nn, ops, fused, ranks = _chosen.nn, _chosen.ops, _chosen.fused, _chosen.ranks
parameters, buffers, tensors = _chosen.parameters, _chosen.buffers, _chosen.tensors
state, load_state = _chosen.state, _chosen.load_state
assign, gradients, no_grad, seed = _chosen.assign, _chosen.gradients, _chosen.no_grad, _chosen.seed
replaced = _chosen.replaced
flush, synchronize = _chosen.flush, _chosen.synchronize
to_device, precision = _chosen.to_device, _chosen.precision
kernels, run_stack = _chosen.kernels, _chosen.run_stack

__all__ = [
    "NAME",
    "assign",
    "buffers",
    "flush",
    "fused",
    "gradients",
    "kernels",
    "load_state",
    "nn",
    "no_grad",
    "ops",
    "parameters",
    "precision",
    "ranks",
    "replaced",
    "run_stack",
    "seed",
    "state",
    "synchronize",
    "tensors",
    "to_device",
]
