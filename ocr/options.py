"""Options that several commands share: which models read, and how."""

from __future__ import annotations

from crnn_jt.detecting import FULL, Resolution
from data_tools.errors import UserError
from ocr.reading import CUTS, MODELS, PhotoReader, ReadingOptions, load
from ocr.turning import ANGLES

SMALLEST, LARGEST = 0.3, 1.0


def add_model_arguments(parser) -> None:
    """Adds the options to a parser."""
    parser.add_argument(
        "--models", type=str, default="default", help=f"models that belong together: {', '.join(MODELS)}"
    )
    parser.add_argument("--detector", type=str, default=None, help="another detector: a name or a weights file")
    parser.add_argument("--direction", type=str, default=None, help="a classifier that finds overturned text, or none")
    parser.add_argument(
        "--recognizer", type=str, default=None, help="another recogniser of words or lines: a name or a file"
    )
    parser.add_argument("--spotter", type=str, default=None, help="a spotter in place of detector and recogniser")
    parser.add_argument("--selector", type=str, default=None, help="a selector, which --resolution auto then asks")
    parser.add_argument(
        "--resolution",
        type=str,
        default="auto",
        help="auto (full where text is tiny, or as the selector says), full, or a factor of the pixels, 0.3 to 1",
    )
    parser.add_argument(
        "--angle",
        type=str,
        default="auto",
        help="auto, or by how many degrees pictures are turned clockwise to be read: 0, 90, 180, 270",
    )
    parser.add_argument(
        "--cut",
        type=str,
        default="words",
        help="words: regions are read as they are found; lines: joined to lines first, for a recogniser with a space",
    )


def open_models(args) -> PhotoReader:
    """The reader that the options name. Raises UserError."""
    if args.cut not in CUTS:
        raise UserError(f"--cut {args.cut}: it takes {' or '.join(CUTS)}")
    options = ReadingOptions(read_resolution(args.resolution), read_angle(args.angle), args.cut)
    if args.selector and args.resolution != "auto":
        raise UserError(f"--selector {args.selector}: chooses with --resolution auto, not {args.resolution}")
    return load(args.models, args.detector, args.direction, args.recognizer, options, args.spotter, args.selector)


def read_angle(text: str) -> int | None:
    """The angle that an option names, None where it is to be found out. Raises UserError."""
    if text not in ("auto", *map(str, ANGLES)):
        raise UserError(f"--angle {text}: it takes auto, {', '.join(map(str, ANGLES))}")
    return None if text == "auto" else int(text)


def read_resolution(text: str) -> Resolution:
    """The resolution that an option names. Raises UserError."""
    if text in ("auto", "full"):
        return Resolution() if text == "auto" else FULL
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not SMALLEST <= factor <= LARGEST:
        raise UserError(f"--resolution {text}: it takes auto, full, or a number from {SMALLEST} to {LARGEST}")
    return Resolution(factor)
