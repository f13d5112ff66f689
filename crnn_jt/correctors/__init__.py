"""Correction: what language says of the generator's answer, before it is read."""

from crnn_jt.correctors import bcn

__all__ = ["bcn"]
