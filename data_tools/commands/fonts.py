"""Lists the fonts that words are rendered with, or fetches some 400 open families.

Fonts are taken from the folders given with --fonts, from the system, and from those that matplotlib bundles. A font
that cannot be opened, a symbol font, and one without letters is named with its reason and never used.

  python -m data_tools fonts                        the usable fonts
  python -m data_tools fonts --fonts fonts --text Ålesund   those that have these characters
  python -m data_tools fonts --fetch fonts          installs open families (npm packages @fontsource/*) into fonts/
"""

from __future__ import annotations

import json
import logging
import sys


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--fonts", metavar="DIR", type=str, action="append", help="a folder of fonts; may be repeated")
    parser.add_argument("--text", type=str, default="", help="list only fonts that have all these characters")
    parser.add_argument("--fetch", metavar="DIR", type=str, help="install open font families into this folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args) -> int | None:
    """Fetches, or lists the usable fonts on standard output and the others on standard error."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    if args.fetch:
        from data_tools.words.fetch import fetch

        count = fetch(args.fetch)
        print(json.dumps({"path": args.fetch, "fonts": count}) if args.json else f"{args.fetch}: {count} fonts")
        return None
    fonts, refused = survey(tuple(args.fonts or ()), args.text)
    if args.json:
        print(json.dumps({"fonts": fonts, "refused": refused}, ensure_ascii=False, indent=1))
        return None
    for font in fonts:
        print(f"{font['family']}\t{font['path']}")
    families = len({font["family"] for font in fonts})
    print(f"{len(fonts)} usable fonts of {families} families, {len(refused)} refused", file=sys.stderr)
    return None if fonts else 1


def survey(folders: tuple[str, ...], text: str) -> tuple[list[dict], list[dict]]:
    """The usable fonts that have `text` (family, path) and the refused ones (path, why)."""
    from data_tools.words.fonts import family_of, font_files, font_index, refused_by_name

    files, index = font_files(folders), font_index(folders)
    fonts, refused = [], [{"path": file, "why": "a symbol font"} for file in files if refused_by_name(file)]
    for file in files:
        if refused_by_name(file):
            continue
        font = index.open(file)
        if font is None:
            refused.append({"path": file, "why": index.why[file]})
        elif font.has(text):
            fonts.append({"family": family_of(file), "path": file})
    return fonts, refused
