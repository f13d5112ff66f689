"""Writes a model as an ONNX file, for runtimes that know neither Jittor nor this project.

  python -m crnn_jt export --weights crnn-light --out crnn-light.onnx
  python -m crnn_jt export --weights best.safetensors --format onnx --out best.onnx

The file takes `images` (batch, channels, height, width), float32, 2·pixel/255 - 1, of any batch and (but for models of
one width) any width, and gives `logits` (steps, batch, classes); class 0 is CTC's blank, class i the i-th symbol.
Reading with it, in Python:

  logits = onnxruntime.InferenceSession("crnn-light.onnx").run(None, {"images": images})[0]
  best = logits[:, 0].argmax(1)                                       # the best path of the first image
  text = "".join(SYMBOLS[i - 1] for i, before in zip(best, [0, *best]) if i and i != before)

Before it is left behind, the file's logits are compared with the model's on images of several widths and batches.
Models that emit symbol by symbol (the attention decoders) have no such file. Needs: pip install onnx onnxruntime.
"""

from __future__ import annotations

import json

from data_tools.errors import UserError


def add_arguments(parser) -> None:
    """The options of `export`."""
    parser.add_argument("--weights", type=str, required=True, help="a bundled model's name or a weights file")
    parser.add_argument("--out", type=str, required=True, help="the file to write")
    parser.add_argument("--format", type=str, default="onnx", help="onnx")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Exports, checks and says how near the file is."""
    if args.format != "onnx":
        raise UserError(f"--format {args.format}: not known; use onnx")
    from crnn_jt import reading
    from crnn_jt.export import export_onnx

    reader = reading.load(args.weights, fast=False)
    difference = export_onnx(reader, args.out)
    if args.json:
        symbols = list(reader.tokenizer.symbols)
        print(json.dumps({"out": args.out, "difference": difference, "symbols": symbols}, ensure_ascii=False))
    else:
        print(f"{args.out}: written; logits within {difference:.1e} of the model's, relative to the largest")
