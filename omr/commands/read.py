"""Reads printed music: scans and photos of one staff or of a page of staves, one voice each.

  python -m omr read staff.jpg
  python -m omr read page.png --musicxml page.musicxml --midi page.mid --png page_check.png
  python -m omr read page.png --html page.html                       picture, music and a player side by side
  python -m omr read scans/*.png --weights runs/first/best.safetensors --json

Staves are found, whichever way up the picture lies, drawn straight and read from top to bottom; each is printed in
PrIMuS's semantic encoding with its confidence. Further pages of a file are named FILE#2, FILE#3 … --musicxml and --midi
write one file for one staff, and FILE-2.ext, FILE-3.ext … for further ones. --png shows what was read, engraved beneath
the picture; --html is one page, without a network, of each staff's picture, what was read, and a player. Music that is
not right (a measure that does not add up, no clef) is written all the same; the place is marked, and said here.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import atomic_file
from omr.reading import DEFAULT


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("images", metavar="IMG", type=str, nargs="+", help="picture files, folders or globs")
    parser.add_argument("--weights", type=str, default=DEFAULT, help="a model's name or weights file")
    parser.add_argument("--musicxml", type=str, default=None, metavar="FILE", help="write MusicXML (.mxl: compressed)")
    parser.add_argument("--midi", type=str, default=None, metavar="FILE", help="write MIDI")
    parser.add_argument("--png", type=str, default=None, metavar="FILE", help="write what was read beneath the picture")
    parser.add_argument("--html", type=str, default=None, metavar="FILE", help="write a page to compare and listen")
    add_understanding(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_understanding(parser) -> None:
    """The options that say how symbols are understood; `omr test` shares them."""
    parser.add_argument(
        "--accidentals",
        type=str,
        default="notation",
        help="notation: what is drawn holds to the bar line; primus: a note's name is what sounds",
    )
    parser.add_argument(
        "--barline",
        type=str,
        default="primus",
        help="the closing one in what is printed; primus: where the last measure is complete, drawn: as in the picture",
    )


def run(args) -> int:
    """Reads everything; 1 where a picture could not be read, else 0."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from crnn_jt.pictures import expand, open_picture
    from omr.reading import ReadingOptions, load

    options = ReadingOptions(args.accidentals, args.barline)
    paths = expand(args.images)
    reader = load(args.weights, options)
    results, staves = [], []  # staves: (name, reading)
    for path in paths:  # further pages of a file are paths of their own
        try:
            found = reader.read_page(open_picture(path))
        except UserError as error:
            results.append({"path": str(path), "error": str(error)})
            continue
        staves += [(f"{path}, staff {number}", staff) for number, staff in enumerate(found, 1)]
        results += [_entry(path, number, staff) for number, staff in enumerate(found, 1)]
    _write(args, staves)
    if args.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))
    else:
        _print(results)
    return int(any("error" in result for result in results))


def _entry(path: Path, number: int, staff) -> dict:
    return {
        "path": str(path),
        "staff": number,
        "semantic": " ".join(staff.semantic),
        "confidence": round(staff.confidence, 6),
        "symbols": [[symbol, round(p, 4)] for symbol, p in zip(staff.symbols, staff.confidences)],
        "doubts": [str(doubt) for doubt in staff.doubts],
    }


def _print(results: list[dict]) -> None:
    for result in results:
        if "error" in result:
            where = "" if result["path"] in result["error"] else f"{result['path']}: "
            print(f"{where}{result['error']}", file=sys.stderr)
            continue
        print(f"{result['path']}, staff {result['staff']} ({result['confidence']:.2f}): {result['semantic']}")
        for doubt in result["doubts"]:
            print(f"{result['path']}, staff {result['staff']}: doubtful: {doubt}", file=sys.stderr)


def _write(args, staves: list) -> None:
    from omr.engrave import beneath, stacked
    from omr.midi import write_midi
    from omr.musicxml import write_musicxml
    from omr.page import write_page

    for number, (_, staff) in enumerate(staves, 1):
        if args.musicxml:
            write_musicxml(_numbered(args.musicxml, number), staff.events)
        if args.midi:
            write_midi(_numbered(args.midi, number), staff.events)
    if args.png and staves:
        sheet = stacked([beneath(staff.image, staff.events, staff.doubts) for _, staff in staves])
        with atomic_file(args.png) as file:
            sheet.save(file, format="PNG")
    if args.html:
        write_page(args.html, staves)


def _numbered(path: str, number: int) -> Path:
    name = Path(path)
    return name if number == 1 else name.with_name(f"{name.stem}-{number}{name.suffix}")
