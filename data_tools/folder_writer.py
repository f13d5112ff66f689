"""Writes any reader's samples as files in the report's layout: `gt.txt`, `image/`; `gt.NAME.txt` for further texts."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from pathlib import Path

from PIL import Image

from data_tools.errors import UserError
from data_tools.readers.folder import LABELS, PICTURES
from data_tools.records import Encode, WriteReport, encode_records, is_good, png
from data_tools.sample import CorruptSample, EncodedSample, Reader

_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif"}


def write_folder(
    reader: Reader, path: str | Path, *, workers: int = 0, resume: bool = False, encode: Encode = png
) -> WriteReport:
    """Writes all samples of `reader` below `path`; pictures are named by their place in the reader, from 1.

    Pictures of readers of files are checked and kept byte for byte. Lines of gt.txt are written after their pictures,
    so that an interrupted run leaves a data set that opens; with `resume` it goes on after the last whole line.
    Samples that are corrupt, or whose label has a line break, are counted, named in the log and left out.

    Raises UserError where `path` exists (without `resume`), cannot be written, the disk is full, or no sample is good.
    """
    path = Path(path)
    if path.exists() and not resume:
        raise UserError(f"{path}: exists already; name another place, or resume the run that made it (--resume)")
    skipped: Counter[str] = Counter()
    try:
        (path / PICTURES).mkdir(parents=True, exist_ok=True)
        at, count = _find_progress(path / LABELS)
        for records in encode_records(reader, encode, workers, at, path.name):
            numbered = [(number, _one_line(record)) for number, record in enumerate(records, at + 1)]
            good = [(number, record) for number, record in numbered if is_good(record, skipped)]
            _append(path, good)
            at, count = at + len(records), count + len(good)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); free space or name another") from error
    if not count:
        raise UserError(f"{path}: not one of {len(reader)} samples is good; nothing was written")
    return WriteReport(count, skipped)


def _find_progress(labels: Path) -> tuple[int, int]:
    """(position of the reader to go on from, samples that are there); a torn last line is cut off."""
    if not labels.exists():
        return 0, 0
    content = labels.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with open(labels, "r+b") as file:
            file.truncate(len(whole))
    lines = whole.splitlines()
    if not lines:
        return 0, 0
    stem = lines[-1].split(b".")[0]
    if not (stem.isdigit() and len(stem) == 9):
        raise UserError(f"{labels}: was not written by this command; name another place")
    return int(stem), len(lines)


def _one_line(record: EncodedSample | CorruptSample) -> EncodedSample | CorruptSample:
    texts = (record.text, *record.extra.values()) if isinstance(record, EncodedSample) else ()
    if any(text.splitlines() != [text] for text in texts):
        return CorruptSample(record.key, "the label has a line break", "label")
    return record


def _append(path: Path, good: list[tuple[int, EncodedSample]]) -> None:
    lines: dict[str, list[str]] = {}
    for number, record in good:
        with Image.open(BytesIO(record.content)) as image:
            ending = _ENDINGS.get(image.format, image.format.lower())
        name = f"{number:09d}.{ending}"
        (path / PICTURES / name).write_bytes(record.content)
        for kind, text in record.extra.items():
            lines.setdefault(f"gt.{kind}.txt", []).append(f"{name}\t{text}\n")
        lines.setdefault(LABELS, []).append(f"{name}\t{record.text}\n")
    for file in sorted(lines, key=lambda file: file == LABELS):  # gt.txt last: it says what is there
        with open(path / file, "a", encoding="utf-8") as opened:
            opened.write("".join(lines[file]))
