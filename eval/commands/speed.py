"""Images a second, reading and training, Jittor beside the other engines on this machine (the report's Table 5).

  python -m eval speed                                            crnn and crnn-light, batches 1, 16, 64, 128
  python -m eval speed --config crnn --repeats 100 --data IIIT5K SVT IC03 IC13 --plot speed.png --json > speed.json
  python -m eval speed --weights crnn-light --quick --engines jittor,torch-eager
  python -m eval speed --config crnn --only training --train-batches 64

Engines: jittor (as `read` runs: the fast kernels), jittor-plain (Jittor's own operators), torch-eager,
torch-channels-last, torch-compile, onnxruntime, openvino-f32, openvino-bf16. Each has a process of its own that stays
alive, with the same number of threads and the same weights and images; they take turns of --seconds, --repeats times,
so that drift and other programs hit all alike. What is not installed is named in the table and left out: PyTorch lives
in .venv-torch (or where CRNN_TORCH_PYTHON points), the others come with requirements-bench.txt.

inference: a batch of images as an array to logits. training: one whole optimiser step, label of 8 symbols. reading:
picture files on disk to text. Start, first call (compilation) and peak memory stand apart from the images a second.
Fresh weights are as fast as trained ones. Figures taken while others use the machine are worth little: the load is
printed with them. There, --clock cpu --threads 1 compares work: images a second of processor time, on one thread.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crnn_jt.interruption import Interruption
from data_tools.errors import UserError
from data_tools.files import write_text
from eval.machine import describe, line
from eval.options import at_least, numbers

DEFAULTS = {"batches": "1,16,64,128", "repeats": 20, "seconds": 0.5, "pictures": 256}
QUICK = {"batches": "1,64", "repeats": 3, "seconds": 0.2, "pictures": 32}
FORMATS = (".png", ".svg", ".pdf")


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--config", type=str, nargs="+", default=[], help="models with fresh weights, by configuration")
    parser.add_argument("--weights", type=str, nargs="+", default=[], help="models by bundled name or weights file")
    parser.add_argument("--data", type=str, nargs="+", default=[], help="data sets; none: rendered words (or scores)")
    parser.add_argument("--engines", type=str, default=None, help="only these, commas between (default: all)")
    parser.add_argument("--only", type=str, default=None, help="of inference,training,reading: these, commas between")
    parser.add_argument("--batches", type=str, default=None, help="for inference (1,16,64,128)")
    parser.add_argument("--train-batches", type=str, default="64", help="for training")
    parser.add_argument("--repeats", type=int, default=None, help="turns of each engine at each batch (20)")
    parser.add_argument("--seconds", type=float, default=None, help="length of a turn; one call at least (0.5)")
    parser.add_argument(
        "--quick", action="store_true", help="3 short turns at batches 1 and 64, 32 files: a first look"
    )
    parser.add_argument("--threads", type=int, default=0, help="of every engine (0: the cores this process may use)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of the processor")
    parser.add_argument("--pictures", type=int, default=None, help="files for `reading` (256)")
    parser.add_argument("--seed", type=int, default=0, help="which words are rendered")
    parser.add_argument("--plot", type=str, default=None, help=f"write bars to this file ({', '.join(FORMATS)})")
    parser.add_argument("--out", type=str, default=None, help="write the JSON document to this file as well")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


@dataclass(frozen=True)
class Settings:
    """The options, checked. `batches` says for each task which batch sizes are measured."""

    engines: tuple[str, ...]
    batches: dict[str, tuple[int, ...]]
    repeats: int
    seconds: float
    threads: int
    clock: str
    data: tuple[str, ...]
    seed: int


def settings(args) -> Settings:
    """Raises UserError for what no bench can be run with."""
    from eval import speed

    if args.plot and Path(args.plot).suffix not in FORMATS:
        raise UserError(f"--plot {args.plot}: the name must end in {', '.join(FORMATS)}")
    given = {name: getattr(args, name) for name in DEFAULTS if getattr(args, name) is not None}
    values = {**(QUICK if args.quick else DEFAULTS), **given}
    at_least(1, repeats=values["repeats"], pictures=values["pictures"])
    at_least(0, threads=args.threads, seconds=values["seconds"])
    sizes = {
        "inference": ("--batches", values["batches"]),
        "training": ("--train-batches", args.train_batches),
        "reading": ("--pictures", str(values["pictures"])),
    }
    return Settings(
        engines=_names("--engines", args.engines, speed.INFERENCE),
        batches={task: numbers(*sizes[task]) for task in _names("--only", args.only, tuple(speed.TASKS))},
        repeats=values["repeats"],
        seconds=values["seconds"],
        threads=args.threads or len(os.sched_getaffinity(0)),
        clock=args.clock,
        data=tuple(args.data),
        seed=args.seed,
    )


def _names(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",")) if text else known
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"{option} {unknown[0]}: not known; there are: {', '.join(known)}")
    return tuple(name for name in known if name in names)


def run(args) -> None:
    """Measures, prints, and writes what was asked for."""
    from eval import speed

    chosen, models = settings(args), _models(args)
    machine = {**describe(), "threads": chosen.threads, "clock": chosen.clock}
    document: dict = {"machine": machine, **{task: {} for task in speed.TASKS}, "engines": {}}
    document["data"] = list(chosen.data) or [f"rendered, seed {chosen.seed}"]
    for model, (config, weights) in models.items():
        with Interruption(), tempfile.TemporaryDirectory() as folder:
            measure(document, model, _job(model, config, weights, chosen, Path(folder)), chosen)
    text = json.dumps(document, indent=1)
    if args.out:
        write_text(args.out, text + "\n")
    if args.plot:
        speed.plot(document, args.plot)
    print(text if args.json else f"{_heading(machine)}\n\n{speed.table(document)}")


def _heading(machine: dict) -> str:
    return f"{line(machine)}; {machine['threads']} threads for each engine, {machine['clock']} clock"


def _models(args) -> dict[str, tuple]:
    """Models by name: the configuration, and the weights' name where they are not fresh ones."""
    from crnn_jt.spec import Config, load_config
    from crnn_jt.weights import load_weights

    named = args.config or ([] if args.weights else ["crnn", "crnn-light"])
    models = {Path(name).stem: (load_config(name), "", name) for name in named}
    for name in args.weights:
        models[Path(name).stem] = (Config(load_weights(name).spec), name, "")
    return {model: (config, {"weights": weights, "config": name}) for model, (config, weights, name) in models.items()}


def measure(document: dict, model: str, job: Path, chosen: Settings) -> None:
    """Adds one model's figures to the document."""
    from tqdm import tqdm

    from eval import speed

    plan = speed.Plan(chosen.repeats, chosen.seconds)
    problem = _export(job, chosen) if set(chosen.engines) & set(speed.ONNX) and "inference" in chosen.batches else ""
    names = [name for name in chosen.engines if _wanted(name, chosen.batches)]
    processes = [speed.Process(name, job, speed.python_of(name), chosen.threads) for name in names]
    able = {"inference": speed.INFERENCE, "training": speed.TRAINING, "reading": speed.READING}
    turns = sum(len(sizes) * sum(n in able[task] for n in names) for task, sizes in chosen.batches.items())
    infer, patience = "inference" in chosen.batches, 0.0  # an interruption has no patience with a busy engine
    try:
        began = speed.start(processes, problem, infer)
        with tqdm(total=turns * plan.repeats, desc=model, unit="turn") as bar:
            for task, sizes in chosen.batches.items():
                some = [process for process in processes if process.name in able[task]]
                document[task][model] = {
                    str(n): speed.figures(speed.take_turns(some, speed.TASKS[task], n, plan, bar)) for n in sizes
                }
        found = speed.differences(processes) if infer else {}  # last, so that first calls are first calls
        document["engines"][model] = {p.name: _told(p, began, found) for p in processes}
        patience = 20.0
    finally:
        for process in processes:
            process.close(patience)


def _told(process, began: dict[str, float], differences: dict) -> dict:
    """What is said of an engine beside its times."""
    if process.problem:
        return {"problem": process.problem}
    found = {"difference": differences[process.name]} if process.name in differences else {}
    return {"start_s": began[process.name], **found}


def _wanted(name: str, batches: dict) -> bool:
    """Whether an engine has anything to do."""
    from eval import speed

    return "inference" in batches or name in speed.TRAINING


def _export(job: Path, chosen: Settings) -> str:
    """Writes the ONNX file that three engines read, in a process that ends; what went wrong, or nothing."""
    from eval import speed

    process = speed.Process("export", job, speed.python_of("export"), chosen.threads)
    try:
        process.ask(task="export")
    finally:
        process.close()
    return process.problem


def _job(model: str, config, named: dict[str, str], chosen: Settings, folder: Path) -> Path:
    """Writes images, pictures and what else the engines need to know; returns the job's file."""
    import crnn_jt.commands.train as training
    from data_tools.readers import open_readers

    largest = max(max(sizes) for sizes in chosen.batches.values())
    reader = open_readers(chosen.data) if chosen.data else training.rendered(config, chosen.seed, largest)
    images, pictures = _samples(reader, config.model.image, folder, min(largest, len(reader)))
    np.save(folder / "images.npy", images)
    paths = {"folder": str(folder), "images": str(folder / "images.npy"), "onnx": str(folder / "model.onnx")}
    job = {"model": model, **named, **paths, "pictures": pictures, "threads": chosen.threads, "clock": chosen.clock}
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return path


def _samples(reader, image, folder: Path, count: int) -> tuple[np.ndarray, list[str]]:
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
