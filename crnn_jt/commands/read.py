"""Reads pictures of words: files, folders and globs. Prints the text and the confidence of each.

python -m crnn_jt read sign.jpg photos/ 'scans/*.png'
python -m crnn_jt read sign.jpg --lexicon streets.txt
python -m crnn_jt read plates/ --language none
python -m crnn_jt read photos/ --weights runs/first/best.safetensors --json

The pages of a TIFF are read one by one, `scan.tif`, `scan.tif#2` …; a page can be asked for by that name.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from crnn_jt.weights import DEFAULT
from data_tools.errors import UserError
from data_tools.text import on_one_line, printable


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("images", type=str, nargs="+", help="picture files, folders or globs")
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--lexicon", type=str, help="a text file of words, one a line: the answer is one of them")
    parser.add_argument(
        "--language", type=str, help="english, none or a file; default: english if its letters are read"
    )
    parser.add_argument("--alternatives", type=int, default=0, help="this many further readings of each picture")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> int:
    """Reads everything; 1 where a picture could not be read, else 0."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.alternatives < 0:
        raise UserError(f"--alternatives {args.alternatives}: it takes 0 or more")
    from crnn_jt.pictures import expand
    from crnn_jt.reading import load
    from crnn_jt.spelling import open_words

    if args.lexicon and args.language:
        raise UserError("--language: with --lexicon its words are the answers; name one of the two")
    paths = expand(args.images)
    reader = load(args.weights)
    reader.channel(args.language)  # a file of no use is named before the first picture is read
    lexicon = open_words(args.lexicon, reader.tokenizer) if args.lexicon else None
    results = _results(reader, paths, lexicon=lexicon, alternatives=args.alternatives, language=args.language)
    if args.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))
    else:
        _print(results)
    return int(any("error" in result for result in results))


def _results(reader, paths: list[Path], **options) -> list[dict]:
    """One entry a path, in order; pictures are opened chunk by chunk, so that memory stays flat."""
    from tqdm import tqdm

    from crnn_jt.pictures import open_picture

    results: list[dict] = []
    chunk = 512
    for start in tqdm(range(0, len(paths), chunk), unit="chunk", disable=len(paths) <= chunk):
        part = paths[start : start + chunk]
        opened, errors = {}, {}
        for path in part:
            try:
                opened[path] = open_picture(path)
            except UserError as error:
                errors[path] = str(error)
        found = dict(zip(opened, reader.read(list(opened.values()), **options)))
        results += [_entry(path, found.get(path), errors.get(path)) for path in part]
    return results


def _entry(path: Path, prediction, error: str | None) -> dict:
    if prediction is None:
        return {"path": printable(path), "error": printable(error)}
    entry = {
        "path": printable(path),
        "text": prediction.text,
        "confidence": round(prediction.confidence, 6),
        "raw": prediction.raw,
        "character_confidences": [round(value, 4) for value in prediction.character_confidences],
        "lexicon": prediction.lexicon,
    }
    if prediction.warning:
        entry["warning"] = prediction.warning
    if prediction.alternatives:
        entry["alternatives"] = [{"text": text, "confidence": round(p, 6)} for text, p in prediction.alternatives]
    return entry


def _print(results: list[dict]) -> None:
    names = [on_one_line(result["path"]) for result in results]
    width = max(map(len, names))
    for name, result in zip(names, results):
        if "error" in result:
            print(on_one_line(result["error"]), file=sys.stderr)
            continue
        more = "".join(f"  {a['text']} {a['confidence']:.2f}" for a in result.get("alternatives", []))
        note = "  (no word of the lexicon fits)" if result["lexicon"] == "fallback" else ""
        print(f"{name:<{width}}  {result['text']}  {result['confidence']:.2f}{note}{more}")
        if "warning" in result:
            print(f"{name}: {result['warning']}", file=sys.stderr)
