"""Rectification: images (N, C, H, W) with their own widths -> images in which the text is upright, and theirs."""

from crnn_jt.rectifiers import tps

__all__ = ["tps"]
