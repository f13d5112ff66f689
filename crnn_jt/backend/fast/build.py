"""Makes the kernels callable: shared libraries (`crnn_jt/native.py`), the second of them for products in 8 bits, and,
around the first, one Jittor operator.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, c_char_p, c_int, c_int32, c_void_p
from pathlib import Path

import numpy as np

from crnn_jt import runtime
from crnn_jt.backend.fast import fields, network_fields
from crnn_jt.native import compile_library, copy_sources

KERNELS = Path(__file__).parent / "kernels"
NATIVE = ("-march=native",)
# Tuned for AMD's Zen, GCC leaves multiply-adds apart where a chain of them is alone in a loop: a tile of one row would
# then round otherwise than one of six, and an image alone otherwise than in a batch.
_COMMON = ("-Wno-unknown-pragmas", "-fopenmp", "--param=avoid-fma-max-bits=0")
_FLOATS = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
_NETWORK = c_void_p  # handle of a frozen network

# Results and arguments of the functions that are called directly; those of the operator (crnn_call_*) are all alike.
_SIGNATURES = {
    "crnn_error": (c_char_p,),
    "crnn_layouts": (c_char_p,),
    "crnn_lanes": (c_int,),
    "crnn_cut_regions": (c_int, POINTER(fields.Regions), *3 * (_FLOATS,)),
    "crnn_network_new": (_NETWORK, c_int),
    "crnn_network_free": (None, _NETWORK),
    "crnn_network_conv": (c_int, _NETWORK, POINTER(network_fields.NetworkConv), _FLOATS, _FLOATS),
    "crnn_network_begin_maps": (c_int, _NETWORK, POINTER(network_fields.NetworkBeginMaps)),
    "crnn_network_end_maps": (c_int, _NETWORK, POINTER(network_fields.NetworkEndMaps)),
    "crnn_network_transposed_conv": (c_int, _NETWORK, POINTER(network_fields.NetworkTransposedConv), _FLOATS, _FLOATS),
    "crnn_network_depthwise": (c_int, _NETWORK, POINTER(network_fields.NetworkDepthwise), _FLOATS, _FLOATS),
    "crnn_network_global_mean": (c_int, _NETWORK, POINTER(network_fields.NetworkGlobalMean)),
    "crnn_network_gate": (c_int, _NETWORK, POINTER(network_fields.NetworkGate)),
    "crnn_network_layer_norm": (c_int, _NETWORK, POINTER(network_fields.NetworkLayerNorm), _FLOATS, _FLOATS),
    "crnn_network_softmax": (c_int, _NETWORK, POINTER(network_fields.NetworkSoftmax)),
    "crnn_network_table": (c_int, _NETWORK, POINTER(network_fields.NetworkTable), _FLOATS),
    "crnn_network_attention": (c_int, _NETWORK, POINTER(network_fields.NetworkAttention)),
    "crnn_network_text_lengths": (c_int, _NETWORK, POINTER(network_fields.NetworkTextLengths)),
    "crnn_network_blend": (c_int, _NETWORK, POINTER(network_fields.NetworkBlend)),
    "crnn_network_fit_columns": (c_int, _NETWORK, POINTER(network_fields.NetworkFitColumns)),
    "crnn_network_sample": (c_int, _NETWORK, POINTER(network_fields.NetworkSample), _FLOATS, _FLOATS),
    "crnn_network_decoder": (c_int, _NETWORK, POINTER(network_fields.NetworkDecoder), *8 * (_FLOATS,)),
    "crnn_network_mean_pool": (c_int, _NETWORK, POINTER(network_fields.NetworkPool)),
    "crnn_network_fold": (c_int, _NETWORK, POINTER(network_fields.NetworkFold)),
    "crnn_network_pick": (c_int, _NETWORK, POINTER(network_fields.NetworkPick), POINTER(c_int32)),
    "crnn_network_upsample": (c_int, _NETWORK, POINTER(network_fields.NetworkUpsample)),
    "crnn_network_concat": (c_int, _NETWORK, POINTER(network_fields.NetworkConcat), POINTER(c_int32)),
    "crnn_network_pool": (c_int, _NETWORK, POINTER(network_fields.NetworkPool)),
    "crnn_network_affine": (c_int, _NETWORK, POINTER(network_fields.NetworkAffine), _FLOATS, _FLOATS),
    "crnn_network_add": (c_int, _NETWORK, POINTER(network_fields.NetworkAdd)),
    "crnn_network_linear": (c_int, _NETWORK, POINTER(network_fields.NetworkLinear), _FLOATS, _FLOATS),
    "crnn_network_bilstm": (c_int, _NETWORK, POINTER(network_fields.NetworkBiLSTM), _FLOATS, _FLOATS, _FLOATS),
    "crnn_network_context": (c_int, _NETWORK, POINTER(network_fields.NetworkContext)),
    "crnn_network_shape": (c_int, _NETWORK, c_int, c_int, *4 * (POINTER(c_int),)),
    "crnn_network_run": (c_int, _NETWORK, POINTER(network_fields.NetworkRun), _FLOATS, _FLOATS),
}

_INT8_SIGNATURES = {
    "crnn_int8_error": (c_char_p,),
    "crnn_int8_conv": (c_int, _NETWORK, POINTER(network_fields.NetworkInt8Conv), *3 * (_FLOATS,)),
    "crnn_int8_depthwise": (c_int, _NETWORK, POINTER(network_fields.NetworkInt8Depthwise), *3 * (_FLOATS,)),
    "crnn_int8_linear": (c_int, _NETWORK, POINTER(network_fields.NetworkInt8Linear), *3 * (_FLOATS,)),
    "crnn_int8_bilstm": (c_int, _NETWORK, POINTER(network_fields.NetworkInt8BiLSTM), *5 * (_FLOATS,)),
    "crnn_int8_gate": (c_int, _NETWORK, POINTER(network_fields.NetworkInt8Gate)),
    "crnn_int8_round": (c_int, _NETWORK, POINTER(network_fields.NetworkRound)),
}


def compile_kernels(flags: tuple[str, ...] = NATIVE, source: str = "kernels.cc") -> Path:
    """The library of one source compiled with `flags`, from the cache where it is there. Raises UserError where that
    fails.

    The compiler is Jittor's, so that kernels and operators share one OpenMP. Only tests ask for other `flags`.
    """
    compiler = runtime.find_compiler()
    return compile_library(KERNELS / source, (*_COMMON, *flags), KERNELS.glob("*.h"), compiler)


def load(flags: tuple[str, ...] = NATIVE) -> ctypes.CDLL:
    """The library of `flags`, compiled if need be, its functions typed and its structs compared with `fields.py`."""
    library = _open(flags, "kernels.cc", _SIGNATURES)
    fields.check_layouts(library)
    library.flags = flags
    return library


@functools.cache
def load_int8(flags: tuple[str, ...]) -> ctypes.CDLL:
    """The layers in 8 bits for networks of the library of `flags`: compiled when one is first asked for."""
    return _open(flags, "int8.cc", _INT8_SIGNATURES)


def _open(flags: tuple[str, ...], source: str, signatures: dict[str, tuple]) -> ctypes.CDLL:
    library = ctypes.CDLL(str(compile_kernels(flags, source)))
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@functools.lru_cache(maxsize=1)
def native() -> ctypes.CDLL:
    """This machine's library; loaded once for the process."""
    return load()


@functools.lru_cache(maxsize=1)
def operator():
    """The Jittor operator `kernel_call(inputs, shapes, function, message) -> outputs`; compiled at first use."""
    jt = runtime.import_jittor()
    files = copy_sources(KERNELS / name for name in ("kernel_call_op.h", "kernel_call_op.cc"))
    return jt.compiler.compile_custom_ops(list(map(str, files))).kernel_call


def call(function: str, inputs: list, shapes: list[tuple[int, ...]], message: fields.Fields) -> list:
    """Has Jittor run `function` of this machine's library on `inputs` (Vars); returns Vars of `shapes`."""
    address = ctypes.cast(getattr(native(), function), ctypes.c_void_p).value
    return operator()(inputs, shapes, address, message.words())
