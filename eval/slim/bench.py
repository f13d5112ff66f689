"""A model of any kind, and what compression makes of it: how large, how good, how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from crnn_jt.compression import runs
from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions, configure_resumed
from crnn_jt.weights import Weights, find_weights, load_weights, save_weights
from data_tools.errors import UserError
from eval.slim.engines import ENGINES, Run, open_engine, stand_in

ROWS = {
    "float": "as it is",
    "ptq": "8 bits, calibrated",
    "pact": "8 bits, learnt (PACT)",
    "fpgm": "pruned (FPGM)",
    "both": "pruned, then 8 bits learnt",
    "onnxruntime": "8 bits, calibrated, ONNX Runtime",
    "openvino": "8 bits, calibrated, OpenVINO",
}
PUBLISHED = {
    "recognizer": {"float": (4.6, 65.81), "pact": (1.5, 67.4)},
    "detector": {"float": (2.6, 62.39), "fpgm": (1.4, None)},
    "direction": {"pact": (0.46, 94.56)},
}
"""MB and accuracy, or H-mean, in % on their own data (Du et al., "PP-OCR", 2020, tables 6, 8, 13, 14; None where this
project has no number at hand). The whole system: 3.5 MB with 6,622 characters, 2.8 MB with 63 symbols; F 51.93 before
and 52.10 after slimming, 55.7% smaller, 12.4% less time.
"""


@dataclass(frozen=True)
class Slimming:
    """What all rows share: the model by name or file, how it is trained on (`config`, `options`), the share of its
    multiply-adds that pruning keeps, the shares it tries, the pictures it judges by, whether recurrent layers are in 8
    bits too; what is measured on (`data`), and for how many seconds.
    """

    weights: str
    config: Config
    options: TrainOptions
    data: tuple[str, ...]
    keep: float = 0.5
    shares: tuple[float, ...] = (0.25, 0.5, 0.75)
    pictures: int = 256
    recurrent: bool = False
    seconds: float = 3.0


@dataclass(frozen=True)
class Row:
    """One form of the model: bytes of its file, parameters, the score by data set in %, milliseconds a picture alone
    (the median, and on what it ran).
    """

    row: str
    size: int
    parameters: int
    score: str
    scores: dict[str, float]
    milliseconds: float
    engine: str


def make(row: str, slimming: Slimming, out: Path) -> Path:
    """The weights file of a row; trainings that were interrupted go on. UserError for a row that there is not."""
    if row not in ROWS:
        raise UserError(f"--rows {row}: there are {', '.join(ROWS)}")
    folder, name = out / row, slimming.weights
    if row == "float":
        return find_weights(name)
    if row in ENGINES:
        return _export(make("ptq", slimming, out), out / row)
    if row == "ptq":
        if (folder / runs.CALIBRATED).is_file():
            return folder / runs.CALIBRATED
        runs.begin_eight_bits(name, slimming.config, folder, slimming.recurrent)
        return folder / runs.CALIBRATED
    if row == "fpgm":
        _train(folder, slimming, lambda config: _prune(config, slimming, folder))
        small = load_weights(folder / "best.safetensors")
        save_weights(folder / "half.safetensors", small, half=True)
        return folder / "half.safetensors"
    if row == "both":
        make("fpgm", slimming, out)
        name = str(out / "fpgm" / "best.safetensors")
    _train(folder, slimming, lambda config: runs.begin_eight_bits(name, config, folder, slimming.recurrent))
    return runs.write_eight_bits(folder)


def _export(path: Path, folder: Path) -> Path:
    """The QDQ file of a weights file."""
    from crnn_jt.export import export_onnx

    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "model.onnx"
    export_onnx(load_weights(path), made)
    return made


def _prune(config: Config, slimming: Slimming, folder: Path) -> Config:
    how = slimming.keep, slimming.shares, slimming.pictures
    return runs.begin_pruned(slimming.weights, config, folder, *how)[0]


def _train(folder: Path, slimming: Slimming, begin: Callable[[Config], Config]) -> None:
    """Trains a compression from its checkpoint; one that was cut before its first one is begun anew."""
    resume = (folder / "checkpoint.safetensors").is_file()
    config = configure_resumed(folder, "", {}) if resume else begin(slimming.config)
    runs.train_on(config, replace(slimming.options, out=folder, resume=resume))


def measure(row: str, path: Path, slimming: Slimming) -> Row:
    """Size, scores and speed of a row's file; another runtime reads the form of the calibrated row."""
    run = open_engine(row, path) if row in ENGINES else None
    weights = load_weights(path if run is None else path.parents[1] / "ptq" / runs.CALIBRATED)
    score, scores = judge(weights, str(path), slimming, run)
    if run is None:
        milliseconds, engine = clock(weights, str(path), slimming.seconds)
    else:
        milliseconds, engine = _median(run, weights, slimming.seconds), row
    count = sum(value.size for value in weights.arrays.values())
    return Row(row, path.stat().st_size, count, score, scores, milliseconds, engine)


def judge(weights: Weights, name: str, slimming: Slimming, run: Run | None = None) -> tuple[str, dict[str, float]]:
    """The name of the task's score, and its value on each data set (or on what is rendered), %; as another runtime has
    it where it is given.
    """
    from crnn_jt import backend
    from crnn_jt.models import restore
    from crnn_jt.tasks import task_of
    from crnn_jt.training import open_validation
    from data_tools.loader import Loader
    from data_tools.readers import open_reader

    model = restore(weights, name)
    if run is not None:
        stand_in(model, run)
    task, found = task_of(model, replace(slimming.config, model=weights.spec)), {}
    readers = {Path(data).name: open_reader(data) for data in slimming.data}
    for key, reader in (readers or {"rendered": open_validation(slimming.config)}).items():
        loader = Loader(reader, task.collate(False), slimming.config.train.batch_size, accept=task.accept)
        try:
            with backend.no_grad():
                found[key] = round(float(task.evaluate(loader)[0][task.best]), 2)
        finally:
            loader.close()
    return task.best, found


def clock(weights: Weights, name: str, seconds: float) -> tuple[float, str]:
    """Milliseconds of one picture of the spec's size alone, the median over `seconds`; and what it ran on."""
    from crnn_jt import backend
    from crnn_jt.freeze import try_freeze
    from crnn_jt.models import restore
    from crnn_jt.reading import SequenceReader

    if weights.spec.kind == "recognizer":
        reader = SequenceReader(weights, name)
        call, network = reader.log_probs, reader.network
    else:
        model = restore(weights, name)
        network = try_freeze(model, weights.arrays)
        call = partial(model.probabilities, network=network)
    with backend.no_grad():
        median = _median(call, weights, seconds)
    return median, f"{backend.NAME}'s operators" if network is None else "kernels"


def _median(call: Run, weights: Weights, seconds: float) -> float:
    """Milliseconds of a call with one picture of the spec's size, after a first one."""
    image, times = weights.spec.image, []
    picture = np.random.default_rng(0).uniform(-1, 1, (1, image.channels, image.height, image.width)).astype(np.float32)
    call(picture)
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call(picture)
        times.append(time.perf_counter() - start)
    return round(1000 * float(np.median(times)), 2)
