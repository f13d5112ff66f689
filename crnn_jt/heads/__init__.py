"""Heads of detectors: a map (N, C, H, W) -> maps that say where text is."""

from crnn_jt.heads import db, proposals

__all__ = ["db", "proposals"]
