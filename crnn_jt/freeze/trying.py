"""Freezing where it can be done."""

from __future__ import annotations

import logging

from crnn_jt import backend
from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.errors import NotCovered

logger = logging.getLogger(__name__)


def try_freeze(model, arrays, part: str = "") -> Network | None:
    """The network of a `models.Model` with its arrays on the CPU kernels, or of the `part` for which it has a method
    `freeze_…`; None (said in the log) where they do not cover it.
    """
    if not backend.kernels():
        return None
    try:
        return getattr(model, f"freeze_{part}" if part else "freeze")(arrays)
    except NotCovered as reason:
        name = f"{model.spec.name}, {part}" if part else model.spec.name
        logger.info("%s", f"{name}: runs on Jittor's own operators; the fast kernels lack {reason}")
        return None
