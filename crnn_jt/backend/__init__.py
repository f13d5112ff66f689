"""The seam: the only place that imports a framework, chosen once per process by `CRNN_BACKEND` (jittor or torch).

Jittor is the dialect: modules define `execute`, sequences are (T, N, C), arrays that only steer (lengths, widths,
targets) stay numpy until an operator needs them. Both backends export these names:

    nn    Module, Conv2d, BatchNorm2d, Linear, Embedding, LSTMCell, BiLSTM, Dropout
    ops   array, numpy, concat, stack, zeros, relu, hardswish, tanh, sigmoid, softmax, log_softmax, argmax, amax,
          max_pool, pick, ctc_loss
    and   NAME, state, load_state, tensors, parameters, gradients, assign, no_grad, seed, flush, synchronize, place,
    precision, kernels, at_once, ranks
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

nn, ops = _chosen.nn, _chosen.ops
state, load_state, tensors, parameters = _chosen.state, _chosen.load_state, _chosen.tensors, _chosen.parameters
assign = _chosen.assign
gradients, no_grad, seed = _chosen.gradients, _chosen.no_grad, _chosen.seed
flush, synchronize = _chosen.flush, _chosen.synchronize
place, precision, ranks = _chosen.place, _chosen.precision, _chosen.ranks
kernels, at_once = _chosen.kernels, _chosen.at_once

__all__ = [
    "NAME",
    "assign",
    "at_once",
    "flush",
    "gradients",
    "kernels",
    "load_state",
    "nn",
    "no_grad",
    "ops",
    "parameters",
    "place",
    "precision",
    "ranks",
    "seed",
    "state",
    "synchronize",
    "tensors",
]
