"""Trains backbones for the same budget and compares accuracy, multiply-adds, parameters and speed.

Searched ones (--searched NAME=found.yaml, as `crnn_jt search operations` writes it), the paper's, MBConv(5,6) and
ASTER's unit in all layers, on both paths, DARTS' and Auto-DeepLab's, three hand-made ones, and random ones that cost
what the configuration's does: a search that does not beat those has found nothing, and the table says so. All see the
same rendered words in the same order, --samples of them, with --seeds one after another; --root names labelled real
words to read, which are never trained on. A second table has the report's Table 2, its five combinations, at the same
budget (--stages-config).

Each leaves its run folder in --out, where search.json, search.md and search.png grow with them. Interrupted, the same
command goes on where it stood; what is finished is kept.

  python -m eval search --root data/dev --out runs/compare --samples 300000 --searched flops=runs/operations/found.yaml
  python -m eval search --out runs/quick --samples 2000 --only light,random-1,random-2 --tables backbones
  python -m eval search --list
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from crnn_jt.spec import Config
from crnn_jt.training import TrainOptions, configure
from data_tools.errors import UserError
from data_tools.files import write_text
from eval import training
from eval.columns import align
from eval.options import parse_names, parse_numbers, require_at_least
from eval.search import bench, report
from eval.search.candidates import Candidate, list_candidates
from eval.stages import bench as stages

TABLES = ("backbones", "combinations")


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--out", type=str, default=None, help="folder for the run folders; an interrupted one goes on")
    parser.add_argument("--samples", type=int, default=300_000, help="words that each learns from")
    parser.add_argument("--config", type=str, default="autostr-light", help="all but the backbone, and its cost")
    parser.add_argument("--stages-config", type=str, default="crnn", help="of the second table: all but its stages")
    parser.add_argument("--searched", type=str, nargs="+", default=[], help="NAME=found.yaml of a search")
    parser.add_argument("--random", type=int, default=10, help="how many random architectures")
    parser.add_argument("--only", type=str, default=None, help="backbones or combinations by name, commas between")
    parser.add_argument("--tables", type=str, default=",".join(TABLES), help=" or ".join(TABLES))
    parser.add_argument("--seeds", type=str, default="0", help="of weights, order and words: 0,1 trains all twice")
    parser.add_argument("--root", type=str, default=None, help="folder of labelled real words to read")
    parser.add_argument("--sets", type=str, default=None, help="only these, separated by commas")
    parser.add_argument("--batch-size", type=int, default=None, help="words a step instead of the configuration's")
    parser.add_argument("--fonts", type=str, default=None, help="a folder of fonts for rendered words")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=None, help="loader processes")
    parser.add_argument("--list", action="store_true", help="name the backbones and what they cost")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int:
    """Trains what is not trained yet; what cannot be trained is named, and the exit code is then 1."""
    require_at_least(0, random=args.random)
    require_at_least(1, samples=args.samples)
    config = _configure(args, args.config)
    seeds = parse_numbers("--seeds", args.seeds, 0)
    candidates = list_candidates(config, args.searched, args.random, seeds[0])
    if args.list:
        print(_list(config, candidates))
        return 0
    if not args.out:
        raise UserError("--out: name a folder for the run folders")
    tables = _choose("--tables", args.tables, list(TABLES))
    by_name = {one.name: one for one in candidates}
    names = _choose("--only", args.only, [*by_name, *stages.PUBLISHED])
    chosen = [by_name[name] for name in names if name in by_name and "backbones" in tables]
    combinations = [name for name in names if name in stages.PUBLISHED and "combinations" in tables]
    return int(bool(_Comparison(args, config, seeds).run(chosen, combinations)))


def _configure(args, name: str) -> Config:
    """A configuration with the budget: as many steps as the samples are batches."""
    train = {key: getattr(args, key) for key in ("batch_size", "workers") if getattr(args, key) is not None}
    recipe = {"fonts": [args.fonts]} if args.fonts else {}
    config = configure(name, {"train": train, "data": {"recipe": recipe}})
    steps = max(1, round(args.samples / config.train.batch_size))
    return replace(config, train=replace(config.train, steps=steps, validate_every=steps))


def _choose(option: str, text: str | None, known: list[str]) -> list[str]:
    """The known names among those of `text` (none given: all), in their known order. Raises UserError."""
    names = parse_names(text) if text is not None else known
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(f"{option} {', '.join(unknown) or repr(text)}: there are: {', '.join(known)}")
    return [name for name in known if name in names]


def _list(config: Config, candidates: list[Candidate]) -> str:
    from eval.search.candidates import cost_of

    costs = [cost_of(replace(config.model, extractor=one.extractor)) / 1e6 for one in candidates]
    rows = [(one.name, one.kind, f"{millions:.0f} M multiply-adds") for one, millions in zip(candidates, costs)]
    return "\n".join(align(rows, "llr"))


class _Comparison:
    """Both tables as they grow in the folder."""

    def __init__(self, args: Namespace, config: Config, seeds: tuple[int, ...]):
        from eval.words.sets import find_sets

        self.args, self.config, self.seeds, self.out = args, config, seeds, Path(args.out)
        self.options = TrainOptions(args.out, device=args.device)
        names = parse_names(args.sets) or None
        self.sets, self.unusable = find_sets(args.root, names) if args.root else ([], [])
        self.rows: list[bench.Row] = []
        self.outcomes: list[stages.Outcome] = []
        training.record_settings(self.out, self.options, config)

    def run(self, candidates: list[Candidate], combinations: list[str]) -> list[str]:
        """What could not be trained, a line each."""
        problems: list[str] = []
        if candidates:
            problems += self._backbones({one.name: one for one in candidates})
        if combinations:
            problems += self._combinations(combinations)
        text = report.format_json(self.rows, self.outcomes, self.unusable + problems)
        print(text if self.args.json else "\n".join([report.format_table(self.rows, self.outcomes), *problems]))
        return self.unusable + problems

    def _backbones(self, candidates: dict[str, Candidate]) -> list[str]:
        names = {f"{name}/seed-{seed}": (one, seed) for name, one in candidates.items() for seed in self.seeds}

        def train(name: str) -> bench.Row:
            return bench.train(self.config, *names[name], self.options, self.out / name, self.sets)

        def write(rows: list, problems: list[str]) -> None:
            self.rows = rows
            self._write(problems)

        return training.train_each(names, train, write)[1]

    def _combinations(self, names: list[str]) -> list[str]:
        config = _configure(self.args, self.args.stages_config)
        config = replace(config, train=replace(config.train, seed=self.seeds[0]))

        def train(name: str) -> stages.Outcome:
            return stages.train(stages.combine_stages(config, name, 1.0), self.options, self.out / name)

        def write(outcomes: list, problems: list[str]) -> None:
            self.outcomes = outcomes
            self._write(problems)

        return training.train_each(names, train, write)[1]

    def _write(self, problems: list[str]) -> None:
        budget = f"{self.config.train.steps * self.config.train.batch_size:,} rendered words each"
        note = f"{self.config.model.name}'s other stages; {budget}; accuracy in % (0-9a-z), no lexicon."
        text = report.format_json(self.rows, self.outcomes, self.unusable + problems)
        write_text(self.out / "search.json", text + "\n")
        if self.rows or self.outcomes:
            write_text(self.out / "search.md", report.format_document(self.rows, self.outcomes, note))
        if self.rows:
            report.plot(self.rows, self.out / "search.png")
