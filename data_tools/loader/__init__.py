"""Batches from any reader: in what order (`order`), by whom (`loader`), and what a batch is (`collate`)."""

from data_tools.loader.collate import (
    Batch,
    Collate,
    PhotoBatch,
    Photos,
    ScaledBatch,
    Scales,
    TextBatch,
    TextLines,
    Texts,
)
from data_tools.loader.loader import REFUSED, Loader, text_loader

__all__ = [
    "REFUSED",
    "Batch",
    "Collate",
    "Loader",
    "PhotoBatch",
    "Photos",
    "ScaledBatch",
    "Scales",
    "TextBatch",
    "TextLines",
    "Texts",
    "text_loader",
]
