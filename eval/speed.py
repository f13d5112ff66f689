"""The speed bench: engines side by side, each in a process of its own, taking turns so that drift hits all alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

REFERENCE = "torch-eager"
INFERENCE = (
    "jittor",
    "jittor-plain",
    REFERENCE,
    "torch-channels-last",
    "torch-compile",
    "onnxruntime",
    "openvino-f32",
    "openvino-bf16",
)
TRAINING = ("jittor", "jittor-plain", REFERENCE)
_ENVIRONMENT = {"jittor-plain": {"CRNN_FAST": "0"}}


@dataclass(frozen=True)
class Plan:
    """How long and how often: `rounds` turns for each engine and batch, `seconds` long and of `least` calls or more."""

    rounds: int = 5
    seconds: float = 1.0
    least: int = 2


@dataclass
class Times:
    """The calls of one engine at one batch: seconds of each, by round; `first` is the first call, set-up included."""

    batch: int
    first: float = 0.0
    rounds: list[list[float]] = field(default_factory=list)

    @property
    def medians(self) -> np.ndarray:
        """Images a second in each round, from its median call."""
        return np.array([self.batch / np.median(calls) for calls in self.rounds])

    def as_json(self, reference: Times | None) -> dict[str, float]:
        """Figures for people: images/s (median, mean, deviation over all calls), and the ratio to the reference."""
        rates = self.batch / np.concatenate(self.rounds)
        figures = {
            "images_per_s": round(float(np.median(rates)), 2),
            "mean": round(float(rates.mean()), 2),
            "deviation": round(float(rates.std()), 2),
            "calls": len(rates),
            "first_call_s": round(self.first, 3),
        }
        if reference is not None and reference.rounds:
            figures[f"ratio_to_{REFERENCE}"] = round(float(np.median(self.medians / reference.medians)), 3)
        return figures


class Process:
    """An engine's process; a problem is kept in `problem` and ends its part in the bench."""

    def __init__(self, name: str, job_file: Path, python: str, threads: int):
        self.name, self.problem, self.log = name, "", job_file.with_suffix(f".{name}.log")
        backend = {"CRNN_BACKEND": "torch" if name.startswith("torch") else "jittor"}
        variables = {"OMP_NUM_THREADS": str(threads), **backend, **_ENVIRONMENT.get(name, {})}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-m", "eval.engines", name, str(job_file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **variables},
            )

    def ask(self, **order) -> dict:
        """Gives an order and waits; {} where the engine cannot."""
        if self.problem:
            return {}
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": self._last_words()}
        self.problem = answer.get("error", "")
        return {} if self.problem else answer

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "ended without a word"

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def python_of(engine: str, torch_python: str | None) -> str:
    """The interpreter for an engine: PyTorch may live in an environment of its own."""
    beside = Path(".venv-torch/bin/python")
    if engine.startswith("torch"):
        return torch_python or (str(beside) if beside.is_file() else sys.executable)
    return sys.executable


def take_turns(processes: list[Process], task: str, batch: int, plan: Plan, progress) -> dict[str, Times]:
    """Times of every engine that can do the task, by name."""
    times = {}
    for process in processes:
        start = time.perf_counter()
        if process.ask(task=task, batch=batch, seconds=0, least=1):
            times[process.name] = Times(batch, time.perf_counter() - start)
    for _ in range(plan.rounds):
        for process in processes:
            answer = process.ask(task=task, batch=batch, seconds=plan.seconds, least=plan.least)
            if answer:
                times[process.name].rounds.append(answer["seconds"])
            progress.update()
    return {name: kept for name, kept in times.items() if len(kept.rounds) == plan.rounds}


def figures(times: dict[str, Times]) -> dict[str, dict[str, float]]:
    """What `take_turns` found, as JSON."""
    reference = times.get(REFERENCE)
    return {name: own.as_json(reference) for name, own in times.items()}


def differences(processes: Iterable[Process]) -> dict[str, float]:
    """How far each engine's logits are from the first one's, relative to the largest: all must do the same work."""
    answers = {process.name: process.ask(task="logits") for process in processes}
    logits = {name: np.load(answer["file"]) for name, answer in answers.items() if answer}
    if not logits:
        return {}
    first = next(iter(logits.values()))
    return {name: float(np.abs(own - first).max() / np.abs(first).max()) for name, own in logits.items()}


def table(document: dict) -> str:
    """The document as text: a block for each model and task, a row for each engine, a column for each batch."""
    blocks = []
    for task in ("inference", "training", "end_to_end"):
        for model, batches in document.get(task, {}).items():
            blocks.append(_block(f"{task.replace('_', ' ')}, {model}, images/s (× {REFERENCE})", batches))
    for model, problems in document["problems"].items():
        blocks += [f"{model}, {name}: left out: {problem}" for name, problem in problems.items()]
    return "\n".join(blocks)


def _block(title: str, batches: dict[str, dict]) -> str:
    names = list(dict.fromkeys(name for engines in batches.values() for name in engines))
    lines = [title, " " * 20 + "".join(f"{f'batch {batch}':>22}" for batch in batches)]
    for name in names:
        lines.append(f"{name:<20}" + "".join(f"{_cell(engines.get(name)):>22}" for engines in batches.values()))
    return "\n".join([*lines, ""])


def _cell(own: dict | None) -> str:
    if own is None:
        return "-"
    ratio = own.get(f"ratio_to_{REFERENCE}")
    return f"{own['images_per_s']:.0f} ± {own['deviation']:.0f}" + (f" ({ratio:.2f})" if ratio else "")


def plot(document: dict, path: str | Path) -> None:
    """Bars of the inference figures, one panel a model, as PNG or SVG by the file's ending."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from data_tools.files import write_bytes

    models = document["inference"]
    figure, panels = pyplot.subplots(1, max(1, len(models)), figsize=(6 * max(1, len(models)), 4), squeeze=False)
    for axes, (model, batches) in zip(panels[0], models.items()):
        names = list(dict.fromkeys(name for engines in batches.values() for name in engines))
        for i, name in enumerate(names):
            heights = [engines.get(name, {}).get("images_per_s", 0) for engines in batches.values()]
            axes.bar(np.arange(len(batches)) + i / (len(names) + 1), heights, 1 / (len(names) + 1), label=name)
        axes.set_xticks(np.arange(len(batches)) + 0.4, [f"batch {batch}" for batch in batches])
        axes.set(title=model, ylabel="images/s")
        axes.legend(fontsize=7)
    figure.tight_layout()
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix.lstrip(".") or "png", dpi=120)
    pyplot.close(figure)
    write_bytes(path, content.getvalue())
