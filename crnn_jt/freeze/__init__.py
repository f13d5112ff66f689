"""Freezing: a model's layers, as its stages declare them, become one network on the CPU kernels.

Batch normalisation is folded into the convolution before it; bias, sums, activation and small poolings are done while a
convolution's outputs are still in registers. The frozen network is a copy: freeze again after the weights change.
"""

from crnn_jt.freeze import places, rounded  # noqa: F401  (their layers register themselves)
from crnn_jt.freeze.errors import NotCovered
from crnn_jt.freeze.flow import Flow
from crnn_jt.freeze.images import Images, begin_network, emit
from crnn_jt.freeze.recognizers import Parts, begin_flow, freeze_parts
from crnn_jt.freeze.steps import emit_steps
from crnn_jt.freeze.trying import try_freeze

__all__ = [
    "Flow",
    "Images",
    "NotCovered",
    "Parts",
    "begin_flow",
    "begin_network",
    "emit",
    "emit_steps",
    "freeze_parts",
    "try_freeze",
]
