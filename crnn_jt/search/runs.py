"""The two steps of a search as runs in a folder: paths compared under one operation, operations searched on one path
(AutoSTR: Zhang et al., ECCV 2020, sections 3.2 and 3.3).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from crnn_jt import layers
from crnn_jt.search import space
from crnn_jt.spec import Config, GroupSpec, StageSpec, read_config, to_dict
from crnn_jt.training import TrainOptions, assemble
from data_tools.errors import UserError
from data_tools.files import write_text

BEGUN = "search.yaml"
ALPHAS = GroupSpec("adam", 1e-3, (0.0, 0.999), weight_decay=0.0)
"""How the alphas learn, beside weights that Adadelta teaches at 0.9 with a decay of 5e-4 (the paper's section 4.1)."""
WEIGHTS = {"optimizer": "adadelta", "learning_rate": 0.9, "weight_decay": 5e-4, "schedule": "constant", "warmup": 0}


def with_backbone(config: Config, path: str, operation: str) -> Config:
    """The configuration with one operation, or "any", in all layers of a path, where its extractor is of AutoSTR's
    space; raises UserError where it is not.
    """
    stage = config.model.extractor
    if stage.name != "autostr":
        raise UserError(f"{config.model.name}: its extractor is {stage.name}; a search takes one named autostr")
    count = len(stage.options.get("operations", space.PUBLISHED))
    options = {**stage.options, "path": path, "operations": [operation] * count}
    return replace(config, model=replace(config.model, extractor=StageSpec("autostr", options)))


def begin(folder: Path, config: Config) -> None:
    """Writes `search.yaml`, the configuration that a search in a folder was given."""
    _write_config(folder / BEGUN, config)


def _write_config(path: Path, config: Config) -> None:
    write_text(path, yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True))


def search_paths(
    config: Config | None, out: Path, options: dict[str, Any], operation: str = space.RESIDUAL
) -> list[dict[str, Any]]:
    """Trains the configuration with one operation on each typical path and ranks them by validation loss, best first.

    `options` are those of each training. Without a configuration the search in `out` goes on: what is finished is kept.
    Writes `search.yaml` first and `paths.json` last. Raises UserError.
    """
    begun = out / BEGUN
    resume = config is None
    if resume and not begun.exists():
        raise UserError(f"--resume: no {begun}; start the search without --resume")
    if not resume and begun.exists():
        raise UserError(f"--out {out}: holds a search already; add --resume, or name another folder")
    if not resume:
        begin(out, with_backbone(config, space.typical_paths()[0], operation))
    config = read_config(begun)
    operation = config.model.extractor.options["operations"][0]
    results = []
    for path in space.typical_paths():
        done = out / path / "result.json"
        if not done.exists():
            write_text(done, json.dumps(_train_path(with_backbone(config, path, operation), out / path, options)))
        results.append(json.loads(done.read_text(encoding="utf-8")))
    results.sort(key=lambda result: result["loss"])
    write_text(out / "paths.json", json.dumps(results, indent=1))
    return results


def _train_path(config: Config, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Trains on one path, from the checkpoint if there is one; what was cut before its first one is begun anew."""
    from crnn_jt.search.supernet import input_shape

    resume = (folder / "checkpoint.safetensors").exists()
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    trainer = assemble(config, TrainOptions(folder, resume, **options))
    scores, model = trainer.run(), trainer.task.model
    return {
        "path": config.model.extractor.options["path"],
        "loss": round(validation_loss(config, folder / "last.safetensors", trainer.val_loader), 4),
        trainer.task.best: scores[trainer.task.best],
        "millions": layers.cost(model.extractor.layers(), *input_shape(model)) / 1e6,
        "samples": trainer.progress.seen,
        "seconds": round(trainer.progress.seconds),
    }


def validation_loss(config: Config, weights: Path, loader) -> float:
    """The mean loss of a weights file's model over every sample of a loader that it can learn from."""
    from crnn_jt import backend
    from crnn_jt.backend import ops
    from crnn_jt.models import restore
    from crnn_jt.tasks import task_of
    from crnn_jt.weights import load_weights

    task = task_of(restore(load_weights(weights), str(weights)), config)
    total = count = 0
    try:
        with backend.no_grad():
            for batch in loader.batches():
                inputs, _ = task.usable(batch)
                if len(inputs):
                    losses = task.losses(inputs).values()
                    total += sum(float(ops.numpy(loss).sum()) for loss in losses) * len(inputs)
                    count += len(inputs)
    finally:
        loader.close()
    return total / max(count, 1)


def operations_config(config: Config, path: str, search: dict[str, Any]) -> Config:
    """The configuration with every operation open on a path, trained by the task `search` with these options, weights
    and alphas as the paper teaches them. Raises UserError.
    """
    opened = with_backbone(config, path, space.ANY)
    train = replace(config.train, **WEIGHTS, ema=0.0, groups={"alphas": ALPHAS})
    return replace(opened, train=train, task=StageSpec("search", search))


def with_latencies(config: Config, table: Path | None) -> Config:
    """The configuration of a search with a table of latencies in place of multiply-adds: a file's, or measured now.
    Raises UserError.
    """
    from crnn_jt.models import construct
    from crnn_jt.search.latency import measure_table, read_table
    from crnn_jt.search.supernet import input_shape

    if table is not None:
        found = read_table(table)
    else:
        model = construct(config.model)
        found = measure_table(model.extractor.layers(), input_shape(model))
    return replace(config, task=StageSpec("search", {**config.task.options, "latencies": found}))


def write_found(folder: Path) -> list[dict[str, Any]]:
    """Writes what a run of the task `search` found into its folder: `found.safetensors`, the network with the weights
    that it learnt on the way, and `found.yaml`, the configuration that the search was given with this network, to be
    trained from scratch or from those. Returns for each choice the operation and its share.
    """
    from crnn_jt.search.supernet import STACK, choose, name_found, plan_in, resolve
    from crnn_jt.weights import load_weights, save_weights

    weights = load_weights(folder / "last.safetensors")
    plan = plan_in(weights.spec)
    chosen = choose(plan, weights.arrays, STACK)
    stage = name_found(weights.spec.extractor, plan, chosen)
    save_weights(folder / "found.safetensors", resolve(weights))
    given = read_config(folder / BEGUN)
    _write_config(folder / "found.yaml", replace(given, model=replace(given.model, extractor=stage)))
    opened = weights.spec.extractor.options["operations"]
    found = [name for name, before in zip(stage.options["operations"], opened) if before == space.ANY]
    shares = [_largest_share(weights.arrays[f"{STACK}{place}.alphas"]) for place in chosen]
    return [{"operation": name, "share": round(share, 3)} for name, share in zip(found, shares)]


def _largest_share(alphas: np.ndarray) -> float:
    powers = np.exp(alphas - alphas.max())
    return float(powers.max() / powers.sum())
