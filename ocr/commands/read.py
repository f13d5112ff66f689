"""Reads photographs, scans and PDFs: finds the text, reads it, puts it in order.

  python -m ocr read street.jpg --detector runs/db/best.safetensors
  python -m ocr read photos/ --json
  python -m ocr read contract.pdf --pdf searchable.pdf --text contract.txt
  python -m ocr read scan.png --hocr scan.hocr --png scan_check.png
  python -m ocr read photos/ --out read --shard 1/4

Prints the text of each picture in reading order. Further pages of a PDF or TIFF are named FILE#2, FILE#3 … --text and
--png take a file for one picture, a folder for several; --hocr and --pdf write one document with a page for each.
--out appends one JSON line a page to OUT/pages-I-of-N.jsonl and, started again, goes on where it was. A picture without
text gives an empty page.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import atomic_file, write_text
from data_tools.images import split_page
from data_tools.stopwatch import Stopwatch
from data_tools.text import printable
from ocr.memory import give_back_memory, give_back_what_is_free
from ocr.options import add_model_arguments, open_models

FORMS = ("json", "text", "png", "hocr", "pdf")


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("photos", metavar="PHOTO", type=str, nargs="+", help="pictures, PDFs, folders or globs")
    add_model_arguments(parser)
    parser.add_argument("--lexicon", type=str, default=None, metavar="FILE", help="read only words of this list")
    parser.add_argument(
        "--language", type=str, default=None, help="english, none or a file; default: english if its letters are read"
    )
    parser.add_argument("--text", type=str, default=None, metavar="FILE", help="write the text")
    parser.add_argument("--png", type=str, default=None, metavar="FILE", help="write the picture with what was read")
    parser.add_argument("--hocr", type=str, default=None, metavar="FILE", help="write hOCR")
    parser.add_argument("--pdf", type=str, default=None, metavar="FILE", help="write a PDF that can be searched")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--timings", action="store_true", help="say at the end, on stderr, where the time went")
    parser.add_argument("--out", type=str, default=None, metavar="DIR", help="write JSON lines; resumes")
    parser.add_argument("--shard", type=str, default=None, metavar="I/N", help="with --out: this part of the pages")


def run(args) -> int:
    """Reads everything; 1 where a picture could not be read, else 0."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    give_back_memory()
    if args.lexicon and args.language:
        raise UserError("--language: with --lexicon its words are the answers; name one of the two")
    _check_forms(args)
    from crnn_jt.spelling import open_words
    from ocr.documents import list_pictures

    paths = list_pictures(args.photos)
    _check_places(args, paths)
    reader = open_models(args)
    reader.recognizer.channel(args.language)  # a file of no use is named before the first picture is read
    lexicon = open_words(args.lexicon, reader.recognizer.tokenizer) if args.lexicon else None
    give_back_what_is_free()
    options = {"lexicon": lexicon, "language": args.language}
    read = _read_in_bulk if args.out else _read
    if not args.timings:
        return read(args, reader, paths, options)
    with Stopwatch() as watch:
        code = read(args, reader, paths, options)
    print("\n".join(tabulate(watch, len(paths))), file=sys.stderr)
    return code


def tabulate(watch: Stopwatch, pages: int) -> list[str]:
    """Lines of a table: each stage, milliseconds a page by the clock and of the processors, share of the latter."""
    rows = watch.rows()
    whole = max(sum(spent.processor for _, spent in rows), 1e-9)
    lines = [f"{'stage':32}{'ms a page':>12}{'processor':>12}{'share':>9}"]
    for path, spent in rows:
        wall, processor = (1000 * seconds / max(pages, 1) for seconds in (spent.wall, spent.processor))
        share = 100 * spent.processor / whole
        lines.append(f"{' > '.join(path) or 'anything else':32}{wall:12.1f}{processor:12.1f}{share:8.1f}%")
    return lines


def _check_forms(args) -> None:
    given = [f"--{name}" for name in FORMS if getattr(args, name)]
    if args.out and given:
        raise UserError(f"--out: writes JSON lines alone; leave out {', '.join(given)}")
    if args.shard and not args.out:
        raise UserError("--shard: name the folder of the shards with --out")


def _check_places(args, paths: list[Path]) -> None:
    """Raises UserError where what is written would take the place of a picture, or of what another one gave."""
    pictures = {os.path.realpath(split_page(path)[0]): path for path in paths}
    several = len(paths) > 1
    for name, suffix in (("text", ".txt"), ("png", ".png"), ("hocr", ""), ("pdf", "")):
        if not (option := getattr(args, name)):
            continue
        taken: dict[Path, Path] = {}
        for path in paths if suffix else paths[:1]:
            place = _place(option, path, suffix, several) if suffix else Path(option)
            if os.path.realpath(place) in pictures:
                raise UserError(f"--{name} {option}: would be written over the picture {place}")
            if os.path.realpath(taken.setdefault(place, path)) != os.path.realpath(path):
                raise UserError(f"--{name} {option}: {taken[place]} and {path} would both be written to {place}")


def _read_in_bulk(args, reader, paths: list[Path], options: dict) -> int:
    from ocr.bulk import Shard, read_shard
    from ocr.export import to_json

    shard = Shard.parse(args.shard) if args.shard else Shard()
    failures = read_shard(lambda path: to_json(path, reader.read(path, **options)), paths, Path(args.out), shard)
    if failures:
        print(f'{failures} pages could not be read; see "error" in {shard.file_in(Path(args.out))}', file=sys.stderr)
    return int(failures > 0)


def _read(args, reader, paths: list[Path], options: dict) -> int:
    from tqdm import tqdm

    pages, results = [], []
    for path in tqdm(paths, unit="page", disable=None if len(paths) > 1 else True):
        try:
            page = reader.read(path, **options)
        except UserError as error:
            results.append({"path": printable(path), "error": printable(error)})
            continue
        pages.append((path, page))
        results.append(page)
    _write(args, pages, several=len(paths) > 1)
    _print(args, paths, results)
    return int(len(pages) < len(paths))


def _print(args, paths: list[Path], results: list) -> None:
    from ocr.export import to_json

    if args.json:
        found = [each if isinstance(each, dict) else to_json(path, each) for path, each in zip(paths, results)]
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for path, each in zip(paths, results):
        if isinstance(each, dict):
            where = "" if each["path"] in each["error"] else f"{each['path']}: "
            print(f"{where}{each['error']}", file=sys.stderr)
        else:
            print(f"{path}:\n{each.text}\n" if len(paths) > 1 else each.text)


def _write(args, pages: list, several: bool) -> None:
    from ocr.documents import see
    from ocr.export import draw_overlay, to_hocr
    from ocr.searchable import write_pdf

    for path, page in pages:
        if args.text:
            write_text(_place(args.text, path, ".txt", several), page.text + "\n")
        if args.png:
            with atomic_file(_place(args.png, path, ".png", several)) as file:
                draw_overlay(see(path), page).save(file, format="PNG")
    if args.hocr and pages:
        write_text(args.hocr, to_hocr((str(path), page) for path, page in pages))
    if args.pdf and pages:
        seen: Iterator = ((see(path), page) for path, page in pages)
        with atomic_file(args.pdf) as file:
            write_pdf(file, seen)


def _place(option: str, path: Path, suffix: str, several: bool) -> Path:
    """The file itself for one picture, else one in that folder named after the picture."""
    return Path(option) / f"{path.name}{suffix}" if several else Path(option)
