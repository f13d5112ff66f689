"""Reads pictures of words: files, folders and globs. Prints the text and the confidence of each.

python -m crnn_jt read sign.jpg photos/ 'scans/*.png'
python -m crnn_jt read sign.jpg --lexicon streets.txt
python -m crnn_jt read photos/ --weights runs/first/best.safetensors --json
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from data_tools.errors import UserError

DEFAULT = "crnn-light"


def add_arguments(parser) -> None:
    """The options of `read`."""
    parser.add_argument("images", type=str, nargs="+", help="picture files, folders or globs")
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--lexicon", type=str, help="a file of words, one a line: the answer is one of them")
    parser.add_argument("--alternatives", type=int, default=0, help="so many further readings of each picture")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> int:
    """Reads everything; 1 where a picture could not be read, else 0."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.alternatives < 0:
        raise UserError(f"--alternatives {args.alternatives}: it takes 0 or more")
    from crnn_jt.reading import expand, load

    paths = expand(args.images)
    reader = load(args.weights)
    lexicon = _lexicon(args.lexicon, reader) if args.lexicon else None
    results = _results(reader, paths, lexicon, args.alternatives)
    if args.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))
    else:
        _print(results)
    return int(any("error" in result for result in results))


def _lexicon(path: str, reader):
    from crnn_jt.decoding.lexicon import Lexicon
    from data_tools.lexicons import read_words

    words = [reader.tokenizer.accept(word) for word in read_words(path)]
    lexicon = Lexicon([word for word in words if word], reader.tokenizer.symbols)
    if not len(lexicon):
        raise UserError(f"--lexicon {path}: none of its words can be written in the model's character set")
    return lexicon


def _results(reader, paths: list[Path], lexicon, alternatives: int) -> list[dict]:
    """One entry a path, in order; pictures are opened chunk by chunk, so that memory stays flat."""
    from tqdm import tqdm

    from crnn_jt.reading import open_picture

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
        found = dict(zip(opened, reader.read(list(opened.values()), lexicon, alternatives)))
        results += [_entry(path, found.get(path), errors.get(path)) for path in part]
    return results


def _entry(path: Path, prediction, error: str | None) -> dict:
    if prediction is None:
        return {"path": str(path), "error": error}
    entry = {
        "path": str(path),
        "text": prediction.text,
        "confidence": round(prediction.confidence, 6),
        "raw": prediction.raw,
        "character_confidences": [round(value, 4) for value in prediction.character_confidences],
        "lexicon": prediction.lexicon,
    }
    if prediction.alternatives:
        entry["alternatives"] = [{"text": text, "confidence": round(p, 6)} for text, p in prediction.alternatives]
    return entry


def _print(results: list[dict]) -> None:
    width = max(len(result["path"]) for result in results)
    for result in results:
        if "error" in result:
            print(result["error"], file=sys.stderr)
            continue
        more = "".join(f"  {a['text']} {a['confidence']:.2f}" for a in result.get("alternatives", []))
        note = "  (no word of the lexicon fits)" if result["lexicon"] == "fallback" else ""
        print(f"{result['path']:<{width}}  {result['text']}  {result['confidence']:.2f}{note}{more}")
