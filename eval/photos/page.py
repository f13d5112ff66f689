"""The report as one self-contained HTML page: the table, and the worst pictures with what was found and missed."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

from data_tools.images import to_channels
from data_tools.sample import CorruptSample
from eval.photos import report
from eval.photos.bench import SetResult
from eval.photos.faults import KINDS, Mark, badness, mark_regions
from eval.photos.sets import PhotoSet

TEMPLATE = Path(__file__).with_name("page.html")
MOST = 60
"""Pictures on a page at most: some 100 kB each."""
_LONGEST, _QUALITY = 1000, 72


def make_page(
    results: Sequence[SetResult],
    sets: Mapping[str, PhotoSet],
    title: str,
    problems: Sequence[str],
    most: int = MOST,
) -> str:
    """The page. `sets` give the pictures again, by name; `most` bounds those that are shown, over all sets."""
    worst, total = collect_worst(results, sets, most)
    capped = f"The worst {len(worst)} of {total} photographs with faults are here." if total > len(worst) else ""
    notes = "".join(f"<li>{escape(line)}</li>" for line in report.list_notes(results, problems))
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Photographs: {title}"),
        table=_make_table(results),
        notes=f'<ul id="notes">{notes}</ul>' if notes else "",
        capped=capped,
        data=_embed(worst),
        kinds=_embed(KINDS),
    )


def _embed(value: Any) -> str:
    """A JSON document that cannot end the script in which it stands."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _make_table(results: Sequence[SetResult]) -> str:
    (groups, heads, *rows), lines = report.make_rows(results), []
    spans: list[list] = []
    for cell in groups:
        if cell or not spans:
            spans.append([cell, 1])
        else:
            spans[-1][1] += 1
    lines.append("".join(f'<th colspan="{width}">{escape(name)}</th>' for name, width in spans))
    lines.append("".join(f"<th>{escape(head)}</th>" for head in heads))
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return '<table id="figures">' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def collect_worst(
    results: Sequence[SetResult], sets: Mapping[str, PhotoSet], most: int
) -> tuple[list[dict[str, Any]], int]:
    """Photographs with faults as plain values, the worst of each set by turns, `most` with their pictures; and how many
    there are.
    """
    ranked = []
    for result in results:
        own = [
            (badness(marks), index, key, marks)
            for index, key, judged in result.measured.photographs
            if badness(marks := mark_regions(judged, result.family.partial))[1]
        ]
        own.sort(key=lambda each: each[0], reverse=True)
        ranked += [(place, result.name, *each[1:]) for place, each in enumerate(own)]
    ranked.sort(key=lambda each: each[0])
    chosen = (_describe(sets[name], name, *each) for _, name, *each in ranked[:most])
    return [each for each in chosen if each is not None], len(ranked)


def _describe(photos: PhotoSet, name: str, index: int, key: str, marks: list[Mark]) -> dict[str, Any] | None:
    try:
        image = to_channels(photos.reader[index].image, 3)
    except CorruptSample:  # it was there when it was read
        return None
    size = list(image.size)
    image.thumbnail((_LONGEST, _LONGEST))
    file = BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    counts = Counter(mark.kind for mark in marks)
    return {
        "set": name,
        "key": key,
        "size": size,
        "counts": {kind: counts[kind] for kind in KINDS},
        "marks": [_describe_mark(mark) for mark in marks],
        "image": "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"),
    }


def _describe_mark(mark: Mark) -> dict[str, Any]:
    points = " ".join(f"{x:.0f},{y:.0f}" for x, y in mark.outline)
    return {"kind": mark.kind, "points": points, "truth": mark.truth, "text": mark.text}
