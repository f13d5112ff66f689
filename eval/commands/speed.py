"""Images a second, reading and training, Jittor beside the other engines on this machine (the report's Table 5).

  python -m eval speed                                        crnn and crnn-light, batches 1, 16, 64, 128
  python -m eval speed --models crnn --batches 1,64 --train-batches 64 --rounds 10 --json > speed.json
  python -m eval speed --engines jittor,torch-eager --data IIIT5k --plot speed.png

Engines: jittor (the fast kernels), jittor-plain (Jittor's own operators), torch-eager, torch-channels-last,
torch-compile, onnxruntime, openvino-f32, openvino-bf16. Each runs in a process of its own with the same number of
threads; they take turns, so that drift and other programs hit all alike. What is not installed is named and left out:
PyTorch may live in an environment of its own (--torch-python, default .venv-torch), the others come with
pip install onnx onnxruntime openvino. Set-up and compilation count in `first_call_s`, not in images/s; the ratio
to PyTorch eager is the median over the rounds. `end to end` is picture files to text, the model's ten example words.
Figures taken while others use the machine are worth little: the load is printed beside them. There, --clock cpu
--threads 1 compares the engines' work instead: images a second of processor time, on one thread.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np

from data_tools.errors import UserError
from data_tools.files import write_text
from eval.machine import describe, line

EXAMPLES = Path(__file__).parents[2] / "crnn_jt/bundled/images"


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--models", type=str, default="crnn,crnn-light", help="configurations, commas between")
    parser.add_argument("--weights", type=str, default=None, help="a weights file or bundled model instead of --models")
    parser.add_argument("--engines", type=str, default=None, help="only these, commas between (default: all)")
    parser.add_argument("--batches", type=str, default="1,16,64,128", help="for inference; none to leave it out")
    parser.add_argument("--train-batches", type=str, default="64", help="for training; none to leave it out")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each engine")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--threads", type=int, default=0, help="of every engine (0: the cores this process may use)")
    parser.add_argument("--clock", type=str, default="wall", help="wall, or cpu: time of the processor")
    parser.add_argument(
        "--data", type=str, default=None, help="a data set whose first images are read (default: noise)"
    )
    parser.add_argument("--torch-python", type=str, default=None, help="interpreter that has PyTorch")
    parser.add_argument("--plot", type=str, default=None, help="write bars to this .png or .svg")
    parser.add_argument("--out", type=str, default=None, help="write the JSON document to this file as well")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Measures, prints, and writes what was asked for."""
    from eval import speed

    if args.rounds < 1 or args.seconds < 0 or args.threads < 0:
        raise UserError("--rounds takes 1 or more, --seconds and --threads 0 or more")
    if args.clock not in ("wall", "cpu"):
        raise UserError(f"--clock {args.clock}: not known; use wall or cpu")
    engines = _chosen(args.engines, speed.INFERENCE)
    batches = {"infer": _numbers("--batches", args.batches), "train": _numbers("--train-batches", args.train_batches)}
    threads = args.threads or len(os.sched_getaffinity(0))
    models = [Path(args.weights).stem] if args.weights else args.models.split(",")
    document = {
        "machine": {**describe(), "threads": threads, "clock": args.clock},
        "inference": {},
        "training": {},
        "end_to_end": {},
    }
    document |= {"differences": {}, "memory_mb": {}, "problems": {}}
    plan = speed.Plan(args.rounds, args.seconds)
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            job = _job(model, args, threads, Path(folder), max([*batches["infer"], *batches["train"], 1]))
            _measure(document, model, job, engines, batches, plan, args.torch_python)
    text = json.dumps(document, indent=1)
    if args.out:
        write_text(args.out, text + "\n")
    if args.plot:
        speed.plot(document, args.plot)
    print(
        text
        if args.json
        else f"{line(document['machine'])}, {threads} threads, {args.clock} clock\n\n{speed.table(document)}"
    )


def _measure(document: dict, model: str, job: Path, engines: list[str], batches: dict, plan, torch_python) -> None:
    """Adds one model's figures to the document."""
    from tqdm import tqdm

    from eval import speed

    threads = document["machine"]["threads"]
    processes = [speed.Process(name, job, speed.python_of(name, torch_python), threads) for name in engines]
    trainers = [process for process in processes if process.name in speed.TRAINING]
    turns = plan.rounds * (len(processes) * len(batches["infer"]) + len(trainers) * (len(batches["train"]) + 1))
    try:
        with tqdm(total=turns, desc=model, unit="turn") as bar:
            if batches["infer"]:
                document["differences"][model] = speed.differences(processes)
            for key, task, some in (("inference", "infer", processes), ("training", "train", trainers)):
                found = {str(n): speed.figures(speed.take_turns(some, task, n, plan, bar)) for n in batches[task]}
                if any(found.values()):
                    document[key][model] = found
            pictures = len(json.loads(job.read_text())["pictures"])
            if pictures and batches["infer"]:
                found = speed.figures(speed.take_turns(trainers, "read", pictures, plan, bar))
                document["end_to_end"][model] = {str(pictures): found}
        document["problems"][model] = {process.name: process.problem for process in processes if process.problem}
        document["memory_mb"][model] = {
            p.name: p.ask(task="memory").get("megabytes") for p in processes if not p.problem
        }
    finally:
        for process in processes:
            process.close()


def _job(model: str, args, threads: int, folder: Path, count: int) -> Path:
    """Writes what the engines need to know; returns the file."""
    from crnn_jt.spec import load_config
    from crnn_jt.weights import load_weights

    spec = load_weights(args.weights).spec if args.weights else load_config(model).model
    images = folder / "images.npy"
    np.save(images, _images(spec, args.data, count))
    pictures = sorted(map(str, EXAMPLES.glob("*.png")))
    job = {"config": model, "weights": args.weights, "threads": threads, "folder": str(folder)}
    job |= {"images": str(images), "clock": args.clock}
    path = folder / "job.json"
    path.write_text(json.dumps({**job, "pictures": pictures if spec.image.channels == 1 else []}))
    return path


def _images(spec, data: str | None, count: int) -> np.ndarray:
    """float32 (N, C, H, W) of the model's width: noise, or the first of a data set."""
    image = spec.image
    if data is None:
        shape = (count, image.channels, image.height, image.width)
        return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    from data_tools.loader import Loader
    from data_tools.readers import open_reader
    from data_tools.transforms import ResizeFixed

    transform = ResizeFixed(image.height, image.width, image.channels)
    return next(iter(Loader(open_reader(data), transform, count).batches())).images


def _chosen(text: str | None, known: tuple[str, ...]) -> list[str]:
    names = text.split(",") if text else list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"--engines {unknown[0]}: no such engine; there are: {', '.join(known)}")
    return names


def _numbers(option: str, text: str) -> list[int]:
    if text in ("", "none", "0"):
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) for part in parts):
        raise UserError(f"{option} {text}: give numbers with commas between, such as 1,64")
    return [int(part) for part in parts]
