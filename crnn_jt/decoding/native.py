"""The compiled searches of lexicon.cc (`crnn_jt/native.py`); where they cannot be built, numpy does the work.

CRNN_NATIVE=0 keeps to numpy.
"""

from __future__ import annotations

import ctypes
import logging
import os
from ctypes import c_double, c_int, c_int64
from functools import cache
from pathlib import Path

import numpy as np

from crnn_jt.native import compile_library
from data_tools.errors import UserError

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("lexicon.cc")
FLAGS = ("-march=native", "-fassociative-math", "-fno-signed-zeros")  # sums may be taken in any order
_ARRAY = ctypes.c_void_p
_TRIE = (_ARRAY, _ARRAY, _ARRAY)  # symbol, children, word
_SIGNATURES = {  # result and arguments, in the order of lexicon.cc
    "nearest": (c_int64, *_TRIE, _ARRAY, _ARRAY, c_int, c_int, c_int, _ARRAY, _ARRAY),
    "forward": (None, _ARRAY, c_int, c_int, c_int, c_int64, _ARRAY, _ARRAY, _ARRAY, _ARRAY, _ARRAY),
    "best": (c_int64, *_TRIE, *[_ARRAY] * 3, c_double, _ARRAY, c_int, _ARRAY, c_int, c_int, c_int, _ARRAY, _ARRAY),
    "beams": (None, _ARRAY, c_int, c_int, c_int, _ARRAY, c_int, c_double, c_int, _ARRAY, _ARRAY),
}


@cache
def library() -> ctypes.CDLL | None:
    """The compiled searches, or None (said once in the log) where they cannot be built or are not wanted."""
    if os.environ.get("CRNN_NATIVE", "1") == "0":
        return None
    try:
        loaded = ctypes.CDLL(str(compile_library(SOURCE, FLAGS)))
    except (OSError, UserError) as error:
        logger.info("lexicon search runs in numpy: the compiled one cannot be built (%s)", error)
        return None
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def pointer(array) -> ctypes.c_void_p:
    """The address of a contiguous numpy array; a null pointer of None."""
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def forward(library: ctypes.CDLL, scaled, rows, flat, starts, sizes):
    """Forward sums of words on images `rows` (M,): word m is flat[starts[m]:][:sizes[m]]; scaled (T, N, K) -> (M,)."""
    total = np.empty(len(rows))
    flat, rows, sizes = (np.ascontiguousarray(array, dtype=np.int32) for array in (flat, rows, sizes))
    starts = np.ascontiguousarray(starts, dtype=np.int64)
    arrays = (pointer(rows), pointer(flat), pointer(starts), pointer(sizes), pointer(total))
    library.forward(pointer(scaled), *scaled.shape, c_int64(len(rows)), *arrays)
    return total
