"""The smoke test: does each combination of stages learn a few words by heart? What is done is kept in a file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from crnn_jt.spec import ModelSpec
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import overfit
from eval.stages.combinations import choose_budget, explain_failure


@dataclass(frozen=True)
class Smoke:
    """What the smoke test found of one combination: words right of `words`, or the reason why not all of them.

    `budget` are the steps it had, `steps` those it took, `cpu_s` processor seconds.
    """

    combination: str
    right: int
    words: int
    steps: int
    loss: float
    budget: int
    cpu_s: float
    reason: str = ""


def run_smoke_test(
    models: list[ModelSpec], steps: int | None, seed: int, out: Path | None, report: Callable[[Smoke], None]
) -> list[Smoke]:
    """Over-fits all, each reported as it is done. `out` (a JSON file) keeps what is done, with which an interrupted
    test goes on; what was found with another budget or seed is done again.

    `steps` None leaves the budget to `combinations.choose_budget`. Raises UserError for a file of something else.
    """
    kept = _read_kept(out, seed) if out else {}
    found = []
    for model in models:
        key = model.name, steps or choose_budget(model)
        if key not in kept:
            kept[key] = overfit_combination(model, key[1], seed)
            if out:
                write_text(out, json.dumps(make_document(list(kept.values()), seed), indent=1) + "\n")
        found.append(kept[key])
        report(kept[key])
    return found


def overfit_combination(model: ModelSpec, steps: int, seed: int) -> Smoke:
    """Over-fits one combination in `steps` steps at most."""
    begin = sum(os.times()[:4])
    try:
        result = overfit.overfit(model, steps, seed)
    except UserError as error:  # stages that do not fit together say so
        return Smoke(model.name, 0, overfit.WORDS, 0, math.nan, steps, 0.0, str(error))
    seconds = round(sum(os.times()[:4]) - begin, 1)  # compilers that Jittor started included
    reason = "" if result.right == overfit.WORDS else _explain(model, result)
    return Smoke(model.name, result.right, overfit.WORDS, result.steps, result.loss, steps, seconds, reason)


def _explain(model: ModelSpec, result: overfit.Overfit) -> str:
    if not math.isfinite(result.loss):
        return f"the loss is {result.loss}"
    learning = f"still learning after {result.steps} steps (loss {result.loss:.3f}); give it more --steps"
    return explain_failure(model) or learning


def make_document(found: list[Smoke], seed: int) -> dict:
    """The smoke test as JSON: loss null where it was no number."""
    lines = [{**asdict(one), "loss": one.loss if math.isfinite(one.loss) else None} for one in found]
    return {"seed": seed, "combinations": lines}


def _read_kept(out: Path, seed: int) -> dict[tuple[str, int], Smoke]:
    """What an earlier test with the same seed found, by combination and budget."""
    if not out.exists():
        return {}
    try:
        document = json.loads(out.read_text(encoding="utf-8"))
        lines = document["combinations"] if document["seed"] == seed else []
        kept = [Smoke(**{**line, "loss": math.nan if line["loss"] is None else line["loss"]}) for line in lines]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{out}: holds no smoke test; name another folder as --out") from error
    return {(one.combination, one.budget): one for one in kept}
