"""Feature refinement: context flows between the vectors, (T, N, C) -> (T, N, D), as many as before."""

from crnn_jt.refiners import bilstm, identity, plan, transformer

__all__ = ["bilstm", "identity", "plan", "transformer"]
