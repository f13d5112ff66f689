"""Freezing where it can be done."""

from __future__ import annotations

import logging

from crnn_jt import backend
from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.errors import NotCovered

logger = logging.getLogger(__name__)


def try_freeze(model, arrays) -> Network | None:
    """The network of a `models.Model` with its arrays on the CPU kernels, or None (said in the log) where they do not
    cover it.
    """
    if not backend.kernels():
        return None
    try:
        return model.freeze(arrays)
    except NotCovered as reason:
        logger.info("%s", f"{model.spec.name}: runs on Jittor's own operators; the fast kernels lack {reason}")
        return None
