"""Lists the models that ship, with what their files say of themselves, and the configurations that can be trained.

python -m crnn_jt models
"""

from __future__ import annotations

import json

from crnn_jt.spec import ModelSpec, StageSpec, config_names
from crnn_jt.weights import bundled_names, find_weights, load_weights


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> None:
    """Prints a block a model."""
    models = [describe(name) for name in bundled_names()]
    if args.json:
        print(json.dumps({"models": models, "configurations": config_names()}, ensure_ascii=False, indent=1))
        return
    for model in models:
        print(f"{model['name']}  ({model['megabytes']} MB, {model['parameters']:,} parameters)")
        for key in ("kind", "stages", "symbols"):
            if key in model:
                print(f"    {key}: {model[key]}")
        for key, value in model["info"].items():
            print(f"    {key}: {value}")
    print(f"configurations to train: {', '.join(config_names())}")


def describe(name: str) -> dict:
    """Size, stages, symbols and training facts of a bundled model."""
    weights = load_weights(name)
    spec = weights.spec
    statistics = ("running_mean", "running_var")
    return {
        "name": name,
        "kind": spec.kind,
        "megabytes": round(find_weights(name).stat().st_size / 1e6, 2),
        "parameters": sum(v.size for k, v in weights.arrays.items() if not k.endswith(statistics)),
        "stages": " -> ".join(stage.name for stage in vars(spec).values() if isinstance(stage, StageSpec)),
        **_symbols(spec),
        "info": weights.info,
    }


def _symbols(spec: ModelSpec) -> dict[str, str]:
    labels = getattr(spec, "labels", None)
    return {"symbols": labels.characters or f"vocabulary {labels.vocabulary}"} if labels else {}
