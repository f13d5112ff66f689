"""Counts and shows what a data set holds: samples, bad samples, label lengths, characters, sizes.

Every picture is decoded. PATH is anything that training takes: an LMDB, folders of LMDBs, a folder with gt.txt, an
MJSynth annotation file, a PrIMuS folder, photographs with regions of text in any of the layouts of docs/data.md. Of
these, regions are counted, those too that leave the picture or cross themselves, and what is wrong in annotations.

  python -m data_tools inspect words.lmdb --sheet words.png
  python -m data_tools inspect scores.lmdb --symbols --json
  python -m data_tools inspect Total-Text --sheet outlines.png --count 12 --columns 3

--sheet draws a contact sheet, samples with their labels (photographs with their outlines), to look at.
"""

from __future__ import annotations

import json

from data_tools.files import atomic_file
from data_tools.inspection import Inspection, contact_sheet, histogram, inspect
from data_tools.readers import layout_of, open_reader

WORD, PHOTOGRAPH = (160, 48), (320, 240)
"""Cells of a contact sheet, width and height."""


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("path", metavar="PATH", type=str, help="the data set")
    parser.add_argument("--sheet", type=str, default=None, metavar="FILE.png", help="draw a contact sheet")
    parser.add_argument("--count", type=int, default=64, help="samples on the contact sheet")
    parser.add_argument("--columns", type=int, default=8, help="columns of the contact sheet")
    parser.add_argument("--symbols", action="store_true", help="count symbols between spaces (music), not characters")
    parser.add_argument("--workers", type=int, default=0, help="processes that read (0: this one)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> None:
    """Prints the figures, draws the sheet."""
    reader = open_reader(args.path)
    cell = PHOTOGRAPH if layout_of(reader) else WORD
    sheet = contact_sheet(reader, args.count, args.columns, cell) if args.sheet else None
    found = inspect(reader, workers=args.workers, symbols=args.symbols)
    if sheet is not None:
        with atomic_file(args.sheet) as file:
            sheet.save(file, format="PNG")
    if args.json:
        figures = {"path": args.path, "sheet": args.sheet, "layout": layout_of(reader), **found.to_json()}
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print("\n".join(_lines(args.path, layout_of(reader), found)))


def _lines(path: str, layout: str, found: Inspection) -> list[str]:
    figures = found.to_json()
    lines = [f"{path}: {found.seen} samples, {found.good} good, {figures['distinct_labels']} distinct labels"]
    lines += [f"layout: {layout}"] if layout else []
    if figures["regions"]:
        said = "regions: {all}, {legible} legible, {outside} leave the picture, {crossing} cross themselves"
        lines.append(said.format(**figures["regions"]))
    lines += [f"  left out: {count} × {why}" for why, count in found.flaws.most_common()]
    lines += [f"    {key}: {why}" for key, why in found.flawed[:10]]
    if found.flawed[10:]:
        lines.append("    … (--json names more)")
    lines += [f"  bad: {count} × {why}" for why, count in found.bad.most_common()]
    lines += [f"    {key}: {why}" for key, why in found.named[:10]]
    if found.named[10:]:
        lines.append("    … (--json names more)")
    for name in ("width", "height", "label_length"):
        quantiles = " / ".join(map(str, figures[name])) or "none"
        lines.append(f"{name.replace('_', ' ')}: {quantiles}   (least / 5% / median / 95% / greatest)")
    lines.append(f"modes: {', '.join(f'{mode} {count}' for mode, count in found.modes.most_common())}")
    lines += ["label lengths:", *histogram(sorted(found.lengths.items()))]
    most = found.characters.most_common(40)
    lines += [f"characters: {len(found.characters)} distinct{', the 40 most frequent' * (len(found.characters) > 40)}"]
    return lines + histogram(most)
