"""The speed bench: engines side by side, each in a process of its own, taking turns so that drift hits all alike."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.speed.process import Process, find_python
from eval.speed.tasks import ABLE, ONNX, ORDERS, REFERENCE, TRAINING
from eval.timing import Times

PAUSE = 0.05
"""Seconds between two turns, in which the threads of the engine before fall asleep."""
PATIENCE_AT_END = 20.0
"""Seconds that engines have to end by themselves once all is measured."""


@dataclass(frozen=True)
class Plan:
    """How long and how often: `repeats` turns an engine and batch, each of `seconds` and `least` calls or more."""

    repeats: int = 20
    seconds: float = 0.5
    least: int = 1


@dataclass(frozen=True)
class Settings:
    """The options, checked. `batches` says for each task which batch sizes are measured."""

    engines: tuple[str, ...]
    batches: dict[str, tuple[int, ...]]
    plan: Plan
    threads: int
    clock: str
    data: tuple[str, ...]
    seed: int


def measure(document: dict, model: str, job: Path, settings: Settings) -> None:
    """Adds one model's figures to the document: one of `ORDERS`' keys and `engines` for each."""
    from tqdm import tqdm

    batches, infer = settings.batches, "inference" in settings.batches
    problem = _export(job, settings) if infer and set(settings.engines) & set(ONNX) else ""
    names = [name for name in settings.engines if infer or name in TRAINING]  # the others have nothing to do
    processes = [Process(name, job, find_python(name), settings.threads) for name in names]
    turns = sum(len(sizes) * sum(name in ABLE[task] for name in names) for task, sizes in batches.items())
    patience = 0.0  # an interrupted bench does not wait for busy engines
    try:
        started = start(processes, problem, infer)
        with tqdm(total=turns * settings.plan.repeats, desc=model, unit="turn") as bar:
            for task, sizes in batches.items():
                able = [process for process in processes if process.name in ABLE[task]]
                document[task][model] = {
                    str(n): summarize(take_turns(able, ORDERS[task], n, settings.plan, bar)) for n in sizes
                }
        differences = compare_logits(processes) if infer else {}  # last, so that first calls are first calls
        document["engines"][model] = {p.name: _describe_engine(p, started, differences) for p in processes}
        patience = PATIENCE_AT_END
    finally:
        for process in processes:
            process.close(patience)


def _export(job: Path, settings: Settings) -> str:
    """Writes the ONNX file that three engines read, in a process that ends; what went wrong, or nothing."""
    process = Process("export", job, find_python("export"), settings.threads)
    try:
        process.ask(task="export")
    finally:
        process.close()
    return process.problem


def _describe_engine(process: Process, started: dict[str, float], differences: dict) -> dict:
    """What is said of an engine, its times apart."""
    if process.problem:
        return {"problem": process.problem}
    difference = {"difference": differences[process.name]} if process.name in differences else {}
    return {"start_s": started[process.name], **difference}


def start(processes: Iterable[Process], onnx_problem: str = "", infer: bool = True) -> dict[str, float]:
    """Has every engine build its model, one after the other; the seconds each took. Without `infer` they only import
    and read what the other tasks will build theirs from.
    """
    took = {}
    for process in processes:
        begin = time.perf_counter()
        if process.name in ONNX and onnx_problem:
            process.problem = f"no ONNX file of this model: {onnx_problem}"
        elif process.ask(task="start", infer=infer):
            took[process.name] = round(time.perf_counter() - begin, 2)
    return took


def take_turns(processes: list[Process], task: str, batch: int, plan: Plan, progress) -> dict[str, Times]:
    """Times of every engine that can do the task, by name; who goes first changes from turn to turn."""
    times = {}
    for process in processes:
        answer = process.ask(task=task, batch=batch, seconds=0, least=1)
        if answer:
            times[process.name] = Times(batch, answer["seconds"][0])
    for turn in range(plan.repeats):
        for process in processes if turn % 2 == 0 else processes[::-1]:
            time.sleep(PAUSE)
            answer = process.ask(task=task, batch=batch, seconds=plan.seconds, least=plan.least)
            if answer:
                times[process.name].turns.append(answer["seconds"])
            progress.update()
    for process in processes:
        if not process.problem:
            times[process.name].peak_mb = process.ask(task="memory").get("megabytes", 0)
    return {name: kept for name, kept in times.items() if len(kept.turns) == plan.repeats}


def summarize(times: dict[str, Times]) -> dict[str, dict[str, float]]:
    """What `take_turns` found, as JSON."""
    reference = times.get(REFERENCE)
    return {name: own.as_json(reference) for name, own in times.items()}


def compare_logits(processes: Iterable[Process]) -> dict[str, float | None]:
    """How far each engine's logits are from the first one's, relative to the largest: all must do the same work.

    None where the shapes differ, as when a decoder reads another number of symbols.
    """
    answers = {process.name: process.ask(task="logits") for process in processes}
    logits = {name: np.load(answer["file"]) for name, answer in answers.items() if answer}
    if not logits:
        return {}
    first = next(iter(logits.values()))
    return {name: _measure_difference(first, own) for name, own in logits.items()}


def _measure_difference(first: np.ndarray, own: np.ndarray) -> float | None:
    if first.shape != own.shape:
        return None
    return float(f"{np.abs(own - first).max() / np.abs(first).max():.2e}")
