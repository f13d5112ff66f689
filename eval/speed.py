"""The speed bench: engines side by side, each in a process of its own, taking turns so that drift hits all alike."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

REFERENCE = "torch-eager"
TORCH = (REFERENCE, "torch-channels-last", "torch-compile")
ONNX = ("onnxruntime", "openvino-f32", "openvino-bf16")
INFERENCE = ("jittor", "jittor-plain", *TORCH, *ONNX)
TRAINING = ("jittor", "jittor-plain", REFERENCE)
READING = TRAINING
TASKS = {"inference": "infer", "training": "train", "reading": "read"}
ROOT = Path(__file__).parents[1]
PATIENCE = 900
"""Seconds after which an engine that does not answer is given up."""
PAUSE = 0.05
"""Seconds between two turns, in which the threads of the engine before fall asleep."""
_ENVIRONMENT = {"jittor-plain": {"CRNN_FAST": "0"}}


@dataclass(frozen=True)
class Plan:
    """How long and how often: `repeats` turns an engine and batch, each of `seconds` and `least` calls or more."""

    repeats: int = 20
    seconds: float = 0.5
    least: int = 1


@dataclass
class Times:
    """The calls of one engine at one batch: seconds of each, by turn; `first` is the first call, compilation included;
    `peak_mb` the most memory its process had held by then.
    """

    batch: int
    first: float = 0.0
    turns: list[list[float]] = field(default_factory=list)
    peak_mb: int = 0

    @property
    def rates(self) -> np.ndarray:
        """Images a second of each turn."""
        return np.array([self.batch * len(calls) / max(sum(calls), 1e-9) for calls in self.turns])

    def as_json(self, reference: Times | None) -> dict[str, float]:
        """Images a second: mean and deviation over the turns, and median; the ratio to the reference is the median of
        the turns' own, since neighbours in time share what else the machine did.
        """
        rates = self.rates
        figures = {
            "images_per_s": round(float(rates.mean()), 2),
            "deviation": round(float(rates.std()), 2),
            "median": round(float(np.median(rates)), 2),
            "repeats": len(rates),
            "first_call_s": round(self.first, 3),
            "peak_mb": self.peak_mb,
        }
        if reference is not None:
            figures["ratio"] = round(float(np.median(rates / reference.rates)), 3)
        return figures


class Process:
    """An engine's process; a problem is kept in `problem` and ends its part in the bench."""

    def __init__(self, name: str, job_file: Path, python: str, threads: int):
        self.name, self.problem, self.log = name, "", job_file.with_suffix(f".{name}.log")
        backend = {"CRNN_BACKEND": "torch" if name in TORCH else "jittor"}
        variables = {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1", **backend, **_ENVIRONMENT.get(name, {})}
        self.process = None
        try:
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    [python, "-m", "eval.engines", name, str(job_file)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    bufsize=0,
                    cwd=ROOT,
                    env={**os.environ, **variables},
                )
        except OSError as error:
            self.problem = f"{python}: cannot be started ({error.strerror})"

    def ask(self, **order) -> dict:
        """Gives an order and waits; {} where the engine cannot."""
        if self.problem:
            return {}
        try:
            self.process.stdin.write((json.dumps(order) + "\n").encode())
            ready = select.select([self.process.stdout], [], [], PATIENCE)[0]
            line = self.process.stdout.readline() if ready else b'{"error": "no answer"}'
        except BrokenPipeError:
            line = b""
        answer = json.loads(line) if line else {"error": self._last_words()}
        self.problem = answer.get("error", "")
        return {} if self.problem else answer

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"ended with exit code {self.process.wait()}"

    def close(self, patience: float = 20) -> None:
        """Ends the process, by force after `patience` seconds."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(min(patience, 1) if self.problem else patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def python_of(engine: str) -> str:
    """The interpreter for an engine. PyTorch lives in an environment of its own: CRNN_TORCH_PYTHON, or .venv-torch."""
    beside = ROOT / ".venv-torch/bin/python"
    if engine in TORCH:
        return os.environ.get("CRNN_TORCH_PYTHON") or (str(beside) if beside.is_file() else sys.executable)
    return sys.executable


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


def figures(times: dict[str, Times]) -> dict[str, dict[str, float]]:
    """What `take_turns` found, as JSON."""
    reference = times.get(REFERENCE)
    return {name: own.as_json(reference) for name, own in times.items()}


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


def differences(processes: Iterable[Process]) -> dict[str, float | None]:
    """How far each engine's logits are from the first one's, relative to the largest: all must do the same work.

    None where the shapes differ, as when a decoder reads another number of symbols.
    """
    answers = {process.name: process.ask(task="logits") for process in processes}
    logits = {name: np.load(answer["file"]) for name, answer in answers.items() if answer}
    if not logits:
        return {}
    first = next(iter(logits.values()))
    return {name: _difference(first, own) for name, own in logits.items()}


def _difference(first: np.ndarray, own: np.ndarray) -> float | None:
    if first.shape != own.shape:
        return None
    return float(f"{np.abs(own - first).max() / np.abs(first).max():.2e}")


def table(document: dict) -> str:
    """The document as text: a block for each model and task, a row for each engine, a column for each batch."""
    blocks = []
    for task in TASKS:
        for model, batches in document[task].items():
            blocks.append(_block(f"{task}, {model}: images/s ± deviation (times {REFERENCE})", batches))
    for model, engines in document["engines"].items():
        measured = [sizes for task in TASKS for sizes in document[task].get(model, {}).values()]
        blocks.append(_costs(model, engines, measured))
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
    ratio = f" ({own['ratio']:.2f})" if "ratio" in own else ""
    return f"{own['images_per_s']:.{int(own['images_per_s'] < 10)}f} ± {own['deviation']:.1f}{ratio}"


def _costs(model: str, engines: dict[str, dict], batches: list[dict]) -> str:
    """What an engine costs before and beside the images a second; or why it is missing."""
    lines = [f"{model}: start s, first calls s (compilation), peak memory MB, difference of the logits"]
    for name, told in engines.items():
        if "problem" in told:
            lines.append(f"{name:<20}left out: {told['problem']}")
            continue
        own = [engines[name] for engines in batches if name in engines]
        firsts = " / ".join(f"{figures['first_call_s']:.2f}" for figures in own) or "-"
        peak = max((figures["peak_mb"] for figures in own), default=0)
        lines.append(f"{name:<20}{told['start_s']:>6.1f}  {firsts}  {peak}  {_told(told)}")
    return "\n".join([*lines, ""])


def _told(engine: dict) -> str:
    if "difference" not in engine:
        return "-"
    return "other shape" if engine["difference"] is None else f"{engine['difference']:.1e}"


def plot(document: dict, path: str | Path) -> None:
    """Bars, a panel for each task and model, in the format of the file's ending."""
    from matplotlib.figure import Figure

    from data_tools.files import atomic_file

    shown = [(f"{model}, {task}", batches) for task in TASKS for model, batches in document[task].items()]
    figure = Figure(figsize=(7 * max(1, len(shown)), 4), layout="constrained")
    for axes, (title, batches) in zip(figure.subplots(1, max(1, len(shown)), squeeze=False)[0], shown):
        axes.set(title=title, ylabel="images/s")
        _bars(axes, batches)
    with atomic_file(path) as file:
        figure.savefig(file, format=Path(path).suffix.lstrip("."), dpi=120)


def _bars(axes, batches: dict[str, dict]) -> None:
    """A group of bars for each batch, a bar for each engine."""
    names = list(dict.fromkeys(name for engines in batches.values() for name in engines))
    for i, name in enumerate(names):
        known = [(x, engines[name]) for x, engines in enumerate(batches.values()) if name in engines]
        places = [x + i / (len(names) + 1) for x, _ in known]
        heights, errors = zip(*((own["images_per_s"], own["deviation"]) for _, own in known))
        axes.bar(places, heights, 1 / (len(names) + 1), yerr=errors, label=name)
    axes.set_xticks(np.arange(len(batches)) + 0.4, [f"batch {batch}" for batch in batches])
    if names:
        axes.legend(fontsize=7)
