"""Brings in the weights of a published CRNN: crnn.pytorch's, or the report's Jittor CRNN, which has the same layout.

  python -m crnn_jt import-weights crnn.pth --out crnn.safetensors

FILE is safetensors, npz, or a pickle by torch.save or jt.save. A pickle is read without running anything that it asks
for: one that holds more than arrays is refused, and the object is named. The classes are the blank, then --characters
in order.
"""

from __future__ import annotations

import json
from pathlib import Path

from crnn_jt.spec import ALPHANUMERIC
from data_tools.errors import UserError


def add_arguments(parser) -> None:
    """The options of `import-weights`."""
    parser.add_argument("file", metavar="FILE", type=str, help="the published weights")
    parser.add_argument("--out", type=str, required=True, help="the weights file to write (.safetensors)")
    parser.add_argument("--characters", type=str, default=ALPHANUMERIC, help="the characters in class order, no blank")
    parser.add_argument("--name", type=str, default="crnn", help="what the model shall be called")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Writes the weights file and says what it did."""
    if Path(args.out).suffix != ".safetensors":
        raise UserError(f"--out {args.out}: weights are written as safetensors; end it in .safetensors")
    from crnn_jt.foreign import import_weights
    from crnn_jt.weights import Weights, save_weights

    imported = import_weights(args.file, args.characters, args.name)
    info = {"imported_from": Path(args.file).name, "notes": imported.notes}
    save_weights(args.out, Weights(imported.arrays, imported.spec, info))
    count = sum(array.size for array in imported.arrays.values())
    if args.json:
        print(json.dumps({"out": args.out, "parameters": count, "notes": imported.notes}))
        return
    stages = f"{imported.spec.extractor.name} + {imported.spec.refiner.name} + {imported.spec.generator.name}"
    print("\n".join([f"{args.out}: {stages}, {count} numbers", *(f"  {note}" for note in imported.notes)]))
