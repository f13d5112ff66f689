"""Necks: maps of several sizes -> one map (N, C, H, W), at the finest of them, or a level of each size."""

from crnn_jt.necks import fpn, levels, plan

__all__ = ["fpn", "levels", "plan"]
