"""Images a second, reading and training, Jittor against the other engines on this machine (the report's Table 5).

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
import tempfile
from pathlib import Path

from crnn_jt.interruption import Interruption
from data_tools.errors import UserError
from data_tools.files import write_text
from eval.machine import count_cores, describe_machine, format_machine
from eval.options import parse_numbers, require_at_least
from eval.plots import FORMATS, require_plot_name
from eval.speed.bench import Plan, Settings, measure
from eval.speed.job import write_job
from eval.speed.report import format_document, plot
from eval.speed.tasks import INFERENCE, ORDERS
from eval.workloads import load_models

DEFAULTS = {"batches": "1,16,64,128", "repeats": 20, "seconds": 0.5, "pictures": 256}
QUICK = {"batches": "1,64", "repeats": 3, "seconds": 0.2, "pictures": 32}


def add_arguments(parser) -> None:
    """Declares the options."""
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


def parse_settings(args) -> Settings:
    """Raises UserError for what no bench can be run with."""
    require_plot_name(args.plot)
    given = {name: getattr(args, name) for name in DEFAULTS if getattr(args, name) is not None}
    values = {**(QUICK if args.quick else DEFAULTS), **given}
    require_at_least(1, repeats=values["repeats"], pictures=values["pictures"])
    require_at_least(0, threads=args.threads, seconds=values["seconds"])
    sizes = {
        "inference": ("--batches", values["batches"]),
        "training": ("--train-batches", args.train_batches),
        "reading": ("--pictures", str(values["pictures"])),
    }
    return Settings(
        engines=_choose("--engines", args.engines, INFERENCE),
        batches={task: parse_numbers(*sizes[task]) for task in _choose("--only", args.only, tuple(ORDERS))},
        plan=Plan(values["repeats"], values["seconds"]),
        threads=args.threads or count_cores(),
        clock=args.clock,
        data=tuple(args.data),
        seed=args.seed,
    )


def _choose(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The known names among those of `text` (none given: all), in their known order."""
    names = [name.strip() for name in text.split(",")] if text else known
    for name in names:
        if name not in known:
            raise UserError(f"{option} {name}: not known; there are: {', '.join(known)}")
    return tuple(name for name in known if name in names)


def run(args) -> None:
    """Measures, prints, and writes what was asked for."""
    settings = parse_settings(args)
    models = load_models(args.config or ([] if args.weights else ["crnn", "crnn-light"]), args.weights)
    machine = {**describe_machine(), "threads": settings.threads, "clock": settings.clock}
    document: dict = {"machine": machine, **{task: {} for task in ORDERS}, "engines": {}}
    document["data"] = list(settings.data) or [f"rendered, seed {settings.seed}"]
    for model, (config, named) in models.items():
        with Interruption(), tempfile.TemporaryDirectory() as folder:
            measure(document, model, write_job(model, config, named, settings, Path(folder)), settings)
    text = json.dumps(document, indent=1)
    if args.out:
        write_text(args.out, text + "\n")
    if args.plot:
        plot(document, args.plot)
    print(text if args.json else f"{_format_heading(machine)}\n\n{format_document(document)}")


def _format_heading(machine: dict) -> str:
    return f"{format_machine(machine)}; {machine['threads']} threads for each engine, {machine['clock']} clock"
