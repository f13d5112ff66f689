"""Writes a model in a form that other runtimes read: ONNX, for ONNX Runtime, OpenVINO and others.

A model is a recogniser, a detector of text, a classifier of its direction, or a spotter, which becomes two files: with
--out x.onnx, x.onnx finds and x.read.onnx reads. Before a file is kept, ONNX Runtime runs it on pictures of several
sizes and batches, and must give what the model itself gives. Needs the packages of requirements-bench.txt; the file
itself needs nothing of this project.

  python -m crnn_jt export --weights crnn-light --format onnx --out crnn-light.onnx
  python -m crnn_jt export --weights runs/first/best.safetensors --out first.onnx --json
  python -m crnn_jt export --weights runs/detector/best.safetensors --out detector.onnx
"""

from __future__ import annotations

import json
from dataclasses import asdict

from crnn_jt.weights import DEFAULT
from data_tools.errors import UserError

FORMATS = ("onnx",)


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--format", type=str, default="onnx", help=" or ".join(FORMATS))
    parser.add_argument("--out", type=str, required=True, help="the file to write")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Exports, checks and says how near the two are."""
    if args.format not in FORMATS:
        raise UserError(f"--format {args.format}: it takes {' or '.join(FORMATS)}")
    from crnn_jt.export import export_onnx
    from crnn_jt.weights import load_weights

    done = export_onnx(load_weights(args.weights), args.out)
    if args.json:
        print(json.dumps(asdict(done), indent=1))
        return
    for each in (done, *done.beside):
        shapes = ", ".join("x".join(map(str, shape)) for shape in each.compared)
        print(f"{each.path}: {each.size / 1e6:.1f} MB, opset {each.opset}")
        print(f"{each.output} as the model's own within {each.difference:.1e} (relative) on {each.input} {shapes}")
