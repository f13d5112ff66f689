"""Makes a weights file ready to ship: float16, with figures measured on data sets and a note in its metadata.

  python -m crnn_jt pack --weights runs/first/best.safetensors --name crnn-light --out crnn-light.safetensors \\
      --data dev/IIIT5K dev/SVT --note "rendered words only"
  python -m crnn_jt pack --weights runs/first/last.safetensors runs/second/last.safetensors --out mean.safetensors

The mean of the weights at the ends of trainings that went on from each other is often better than either.
"""

from __future__ import annotations

import json
import logging
import tempfile
from dataclasses import replace
from pathlib import Path


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--weights", type=str, nargs="+", required=True, help="a run's weights; of several, their mean")
    parser.add_argument("--out", type=str, required=True, help="the file to write")
    parser.add_argument("--name", type=str, help="the model's name, instead of its spec's")
    parser.add_argument("--data", type=str, nargs="+", default=[], help="data sets to measure the packed file on")
    parser.add_argument("--note", type=str, default="", help="a line on the training, kept in the file")


def run(args) -> None:
    """Writes the file, measured as it ships: in half precision."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from crnn_jt.weights import load_weights, mean, save_weights

    weights = mean([load_weights(name) for name in args.weights], args.weights)
    spec = replace(weights.spec, name=args.name or weights.spec.name)
    info = {**weights.info, **({"note": args.note} if args.note else {})}
    weights = replace(weights, spec=spec, info=info)
    if args.data:
        weights = replace(weights, info={**info, "measured": _figures(weights, args.data)})
    save_weights(args.out, weights, half=True)
    print(f"{args.out}: {Path(args.out).stat().st_size / 1e6:.2f} MB, {json.dumps(weights.info, ensure_ascii=False)}")


def _figures(weights, paths: list[str]) -> dict[str, dict]:
    """Scores of the half-precision weights on each data set, by the set's name."""
    from crnn_jt.evaluation import measure
    from crnn_jt.reading import load
    from crnn_jt.weights import save_weights
    from data_tools.readers import open_reader

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "half.safetensors"
        save_weights(path, weights, half=True)
        reader = load(path)
    found = {}
    for path in paths:
        scores, _ = measure(reader, open_reader(path))
        found[Path(path).name] = {key: round(value, 2) for key, value in scores.items()}
    return found
