"""CPU kernels as Jittor operators: they know layers, not stages. Compiled with g++ when first used, then cached."""

from __future__ import annotations

import functools
import logging
import os

from data_tools.errors import UserError

logger = logging.getLogger(__name__)


@functools.cache
def available() -> bool:
    """Whether the kernels can be used: CRNN_FAST is not 0, and the compiler can build them (else said in the log)."""
    from crnn_jt.backend.fast import build

    if os.environ.get("CRNN_FAST", "1") == "0":
        return False
    try:
        build.native()
    except (UserError, OSError) as error:
        logger.warning("the fast kernels cannot be built, Jittor's own operators run instead: %s", error)
        return False
    return True
