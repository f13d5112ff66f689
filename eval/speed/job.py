"""What the engines are given: images as an array, pictures as files, and a job file that names them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from eval.speed.bench import Settings


def write_job(model: str, config, named: dict[str, str], settings: Settings, folder: Path) -> Path:
    """Writes images, pictures and what else the engines need to know; returns the job's file."""
    from crnn_jt.sources import render
    from data_tools.readers import open_readers

    largest = max(max(sizes) for sizes in settings.batches.values())
    reader = open_readers(settings.data) if settings.data else render(config.data, config.model, settings.seed, largest)
    images, pictures = _write_samples(reader, config.model.image, folder, min(largest, len(reader)))
    np.save(folder / "images.npy", images)
    paths = {"folder": str(folder), "images": str(folder / "images.npy"), "onnx": str(folder / "model.onnx")}
    job = {"model": model, **named, **paths, "pictures": pictures, "threads": settings.threads, "clock": settings.clock}
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return path


def _write_samples(reader, image, folder: Path, count: int) -> tuple[np.ndarray, list[str]]:
    """`count` samples from all over a set: float32 (N, C, H, W), W the width that the spec names, and JPEG files."""
    from data_tools.records import jpeg
    from data_tools.sample import CorruptSample
    from data_tools.transforms import ResizeFixed

    resize, images, pictures = ResizeFixed(image.height, image.width, image.channels), [], []
    for index in np.linspace(0, len(reader) - 1, count).astype(int).tolist():
        try:
            sample = reader[index]
        except CorruptSample:
            continue
        images.append(resize(sample.image))
        path = folder / f"{len(pictures)}.jpg"
        path.write_bytes(jpeg(sample.image))
        pictures.append(str(path))
    if not images:
        raise UserError("--data: not one of the samples can be opened")
    return np.stack(images), pictures
