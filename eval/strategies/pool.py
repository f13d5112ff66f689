"""A fixed pool of rendered samples on disk: an endless renderer would hide what augmentation and weight decay do."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from crnn_jt.sources import SOURCES, render
from crnn_jt.spec import Config
from crnn_jt.training import VALIDATION_SEED

SEED = 0
"""Of all pools: the seeds of a table's trainings are of weights, order and augmentation, so that they share one."""


def use_pools(config: Config, size: int, folder: Path) -> Config:
    """The configuration with a pool of `size` samples to learn from and another to validate on. Both are rendered into
    `folder` as far as they are not there; an interrupted rendering goes on. Raises UserError.
    """
    train = write_pool(config, size, SEED, folder)
    val = write_pool(config, SOURCES[config.data.kind].validation, SEED + VALIDATION_SEED, folder)
    return replace(config, data=replace(config.data, train=(str(train),), val=(str(val),)))


def write_pool(config: Config, size: int, seed: int, folder: Path) -> Path:
    """The pool of that size and seed, an LMDB or a folder of photographs, named by all that it depends on."""
    from data_tools.lmdb_writer import is_complete, write_lmdb
    from data_tools.photos.folder import write_photos

    reader, workers = render(config.data, config.model, seed, size), config.train.workers
    source = f"{config.data.kind} seed {seed} {reader.recipe}"
    digest = hashlib.sha256(f"{size} {source}".encode()).hexdigest()[:8]
    path = folder / f"{config.data.kind}-{size}-{digest}"
    if config.data.kind == "scenes":
        write_photos(reader, path, workers)
        return path
    path = path.with_suffix(".lmdb")
    if not is_complete(path):
        reader.renderer()  # a folder or list of no use is named before the LMDB is begun
        write_lmdb(reader, path, workers=workers, resume=path.exists(), source=source)
    return path
