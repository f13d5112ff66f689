"""Measures a model of scores: sequence accuracy, symbol error rate, error rates by kind of symbol.

  python -m omr test --weights omr-light --data Corpus --split test
  python -m omr test --weights runs/p/best.safetensors --data Corpus --split test --camera    on distorted pictures
  python -m omr test --weights omr-light --data scores.lmdb --json

DATA is a PrIMuS folder (with its split file), an LMDB of scores or folders of them. Every usable score counts once; a
label with unknown symbols is counted as skipped and named in the log. What the model was trained on does not matter:
camera to clean is a model trained with --camera, tested without it.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress

from data_tools.errors import UserError
from omr.commands.read import DEFAULT

LABELS = 20
"""So many labels are looked at before all are read."""


def add_arguments(parser) -> None:
    """Adds the command's arguments to a jsonargparse parser."""
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--data", type=str, nargs="+", required=True, help="PrIMuS folders or LMDBs of scores")
    parser.add_argument("--split", type=str, default=None, help="a split file, or its name in the folder")
    parser.add_argument("--camera", action="store_true", help="read Camera-PrIMuS's distorted pictures")
    parser.add_argument("--batch-size", type=int, default=16, help="pictures at a time")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Prints the scores."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if args.batch_size < 1:
        raise UserError(f"--batch-size {args.batch_size}: it takes 1 or more")
    from omr.reading import load

    reader = load(args.weights)
    data = open_scores(args.data, args.split, reader.spec.labels.vocabulary, args.camera)
    figures, wrong = measure(reader, data, args.batch_size)
    if args.json:
        print(json.dumps({"weights": args.weights, **figures}, indent=1))
        return
    for line in wrong[:10]:
        print(line)
    exact, edits = figures["sequence_accuracy"], figures["ser"]
    print(f"{figures['n']} scores, {exact:.2f}% exactly right, {edits:.2f}% symbol errors")
    for name, kind in figures["kinds"].items():
        print(f"{name:>10}  {kind['rate']:6.2f}% of {kind['n']}")


def open_scores(paths: list[str], split: str | None, encoding: str, camera: bool):
    """One reader over PrIMuS folders and LMDBs of scores."""
    from data_tools.readers import Concatenated, open_reader
    from data_tools.readers.primus import PrimusReader, is_primus

    readers = []
    for path in paths:
        if is_primus(path):
            readers.append((path, PrimusReader(path, split, encoding, camera)))
        elif split or camera:
            raise UserError(f"{path}: --split and --camera are for PrIMuS folders, which this is not")
        else:
            readers.append((path, open_reader(path)))
    for path, reader in readers:
        _check_labels(path, reader, encoding)
    return readers[0][1] if len(readers) == 1 else Concatenated(readers)


def _check_labels(path: str, reader, encoding: str) -> None:
    """Raises UserError where the first labels hold not one symbol of the encoding: words, or the other encoding."""
    from data_tools.music import vocabulary
    from data_tools.sample import CorruptSample

    texts = []
    for index in range(min(LABELS, len(reader))):
        with suppress(CorruptSample):
            texts.append(reader.text(index))
    if texts and not any(set(text.split()) & vocabulary.symbols(encoding) for text in texts):
        raise UserError(f"{path}: its labels are no {encoding} encoding of music, such as {texts[0][:40]!r}")


def measure(reader, data, batch_size: int = 16) -> tuple[dict, list[str]]:
    """Figures of a ScoreReader over a data set, and the wrong readings as lines."""
    from tqdm import tqdm

    from data_tools.loader import Loader
    from omr.metrics import scores
    from omr.reading import Framed

    sequence = reader.sequence
    framed = Framed(data, reader.spec, reader.kind)
    loader = Loader(framed, sequence.transform, batch_size, accept=sequence.tokenizer.accept)
    readings, truths, wrong = [], [], []
    for batch in tqdm(loader.batches(), total=loader.batches_per_epoch, unit="batch", disable=None):
        if not batch.texts:
            continue
        texts = [sequence.tokenizer.decode(found.indices) for found in sequence.readings(batch.images, batch.widths)]
        readings += [text.split() for text in texts]
        truths += [truth.split() for truth in batch.texts]
        triples = zip(batch.keys, batch.texts, texts)
        wrong += [f"{key}: {truth}\n    read {text}" for key, truth, text in triples if truth != text]
    skipped = {why: count for why, count in loader.skipped.items() if count}
    return {**scores(readings, truths), **({"skipped": skipped} if skipped else {})}, wrong
