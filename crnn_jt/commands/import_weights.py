"""Brings in the weights of a published recogniser: crnn.pytorch's, the report's Jittor CRNN of the same layout,
PP-OCR's of the first generation (MobileNetV3-small, two LSTMs, CTC), ABINet's (whole, or its vision alone), ASTER's in
PyTorch, and AutoSTR's.

  python -m crnn_jt import-weights crnn.pth --out crnn.safetensors
  python -m crnn_jt import-weights best-train-abinet.pth --name abinet --out abinet.safetensors
  python -m crnn_jt import-weights model_best.pth.tar --name autostr --path ABABB --out autostr.safetensors
  python -m crnn_jt import-weights best_accuracy.pdparams --dictionary dict.txt --out ppocr.safetensors

FILE is safetensors, npz, or a pickle by torch.save, jt.save or paddle.save (.pdparams). A pickle is read without
running anything that it asks for: one that holds more than arrays is refused, and the object is named. The classes are
the blank, then --characters in order, or those of --dictionary, PaddleOCR's list of one character a line; without
either, those of the layout's public code in its order.
"""

from __future__ import annotations

import json
from pathlib import Path

from data_tools.errors import UserError


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("file", metavar="FILE", type=str, help="the published weights")
    parser.add_argument("--out", type=str, required=True, help="the weights file to write (.safetensors)")
    parser.add_argument("--characters", type=str, default=None, help="the characters in class order, no blank")
    parser.add_argument("--dictionary", type=str, default=None, help="a file with one character a line, in their place")
    parser.add_argument("--path", type=str, default="ABABB", help="AutoSTR: where its backbone halves the map")
    parser.add_argument("--name", type=str, default="crnn", help="the model's name")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Writes the weights file and says what it did."""
    if Path(args.out).suffix != ".safetensors":
        raise UserError(f"--out {args.out}: weights are written as safetensors; end it in .safetensors")
    from crnn_jt.foreign import import_weights, read_dictionary
    from crnn_jt.weights import Weights, save_weights

    characters = read_dictionary(args.dictionary) if args.dictionary else args.characters
    imported = import_weights(args.file, characters, args.name, args.path)
    info = {"imported_from": Path(args.file).name, "notes": imported.notes}
    save_weights(args.out, Weights(imported.arrays, imported.spec, info))
    count = sum(array.size for array in imported.arrays.values())
    if args.json:
        print(json.dumps({"out": args.out, "parameters": count, "notes": imported.notes}))
        return
    stages = f"{imported.spec.extractor.name} + {imported.spec.refiner.name} + {imported.spec.generator.name}"
    print("\n".join([f"{args.out}: {stages}, {count} numbers", *(f"  {note}" for note in imported.notes)]))
