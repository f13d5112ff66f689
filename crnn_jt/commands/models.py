"""Lists the models that ship, with what their files say of themselves, and the configurations that can be trained.

python -m crnn_jt models
"""

from __future__ import annotations

import json

from crnn_jt.spec import config_names
from crnn_jt.weights import bundled_names, find_weights, load_weights


def add_arguments(parser) -> None:
    """The options of `models`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Prints a block a model."""
    models = [describe(name) for name in bundled_names()]
    if args.json:
        print(json.dumps({"models": models, "configurations": config_names()}, ensure_ascii=False, indent=1))
        return
    for model in models:
        print(f"{model['name']}  ({model['megabytes']} MB, {model['parameters']:,} parameters)")
        for key in ("stages", "symbols", *model["info"]):
            print(f"    {key}: {model['info'].get(key, model.get(key))}")
    print(f"configurations to train: {', '.join(config_names())}")


def describe(name: str) -> dict:
    """Size, stages, symbols and training facts of a bundled model."""
    weights = load_weights(name)
    spec = weights.spec
    statistics = ("running_mean", "running_var")
    return {
        "name": name,
        "megabytes": round(find_weights(name).stat().st_size / 1e6, 2),
        "parameters": sum(v.size for k, v in weights.arrays.items() if not k.endswith(statistics)),
        "stages": f"{spec.extractor.name} -> {spec.refiner.name} -> {spec.generator.name}",
        "symbols": spec.labels.characters or f"vocabulary {spec.labels.vocabulary}",
        "info": weights.info,
    }
