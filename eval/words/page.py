"""The report as one self-contained HTML page: table, curves, confusions, wrong readings as pictures."""

from __future__ import annotations

import base64
import json
from collections import Counter
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template

import numpy as np
from rapidfuzz.distance import Levenshtein

from data_tools.sample import CorruptSample
from eval.words import report
from eval.words.protocols import Protocol
from eval.words.results import Item, SetResult
from eval.words.sets import TestSet
from eval.words.svg import Curve, draw_chart

TEMPLATE = Path(__file__).with_name("page.html")
MOST = 500
"""Wrong readings on a page at most: 64-pixel pictures of about 2 kB each, 1 MB in all."""
NOTHING = "∅"


def make_page(
    results: list[SetResult], sets: list[TestSet], protocol: Protocol, title: str, problems: list[str], most: int = MOST
) -> str:
    """The page. `sets` give the pictures again; `most` bounds the wrong readings shown, over all sets."""
    wrong, total = collect_wrong(results, {test_set.name: test_set for test_set in sets}, most)
    capped = f"The worst {len(wrong)} of {total} are here." if total > len(wrong) else ""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Words: {title}"),
        summary=escape(f"Protocol {protocol.name}: {protocol.summary}"),
        table=_make_table(results, protocol, title),
        notes=_make_notes(report.list_remarks(results, protocol, title, problems)),
        charts=_draw_charts(results),
        confusion=_make_confusion_table(count_confusions(results)),
        capped=capped,
        data=json.dumps(wrong).replace("<", "\\u003c"),
    )


def _draw_charts(results: list[SetResult]) -> str:
    lengths, trust = measure_by_length(results), measure_reliability(results)
    by_length = draw_chart("accuracy by word length", "characters", "accuracy, %", lengths)
    return by_length + draw_chart("how far the confidence can be trusted", "confidence", "accuracy, %", trust)


def _make_table(results: list[SetResult], protocol: Protocol, title: str) -> str:
    columns, body = report.make_rows(results, protocol, title)
    spans: list[list] = []
    for name, _ in columns:
        if spans and spans[-1][0] == name:
            spans[-1][1] += 1
        else:
            spans.append([name, 1])
    sets = "".join(f'<th colspan="{width}">{escape(name)}</th>' for name, width in spans)
    lexicons = "".join(f"<th>{escape(column)}</th>" for _, column in columns)
    lines = [f"<tr><th></th>{sets}</tr><tr><th>accuracy, %</th>{lexicons}</tr>"]
    for name, cells in body:
        kind = "minor" if name.startswith(" ") else "own" if name == title else ""
        lines.append(f'<tr class="{kind}"><td>{escape(name)}</td>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    return f'<table id="figures">{"".join(lines)}</table>'


def _make_notes(lines: list[str]) -> str:
    return '<ul id="notes">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def measure_by_length(results: list[SetResult]) -> list[Curve]:
    """Lexicon-free accuracy in % against the label's length, a curve for each set; lengths with 3 images or more."""
    curves = []
    for result in results:
        sizes = np.array([len(item.truth) for item in result.items if item.readable])
        right = np.array([item.reading == item.truth for item in result.items if item.readable])
        known = [size for size in np.unique(sizes) if (sizes == size).sum() >= 3]
        curves.append(Curve(result.name, [(float(s), 100.0 * right[sizes == s].mean()) for s in known]))
    return curves


def measure_reliability(results: list[SetResult]) -> list[Curve]:
    """Lexicon-free accuracy in % of the images in each tenth of confidence; the diagonal is perfect calibration."""
    curves = []
    for result in results:
        sure = np.array([item.confidence for item in result.items])
        right = np.array([item.readable and item.reading == item.truth for item in result.items])
        tenth = np.clip((sure * 10).astype(int), 0, 9)
        full = [k for k in range(10) if (tenth == k).sum() >= 3]
        curves.append(Curve(result.name, [(sure[tenth == k].mean(), 100.0 * right[tenth == k].mean()) for k in full]))
    return [*curves, Curve("perfect", [(0.0, 0.0), (1.0, 100.0)])]


def count_confusions(results: list[SetResult]) -> Counter[tuple[str, str]]:
    """How often (label's character, read character) stand against each other in the alignments; hits left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in (item for result in results for item in result.items if item.readable):
        for kind, at, to in Levenshtein.editops(item.truth, item.reading):
            lost = item.truth[at] if kind != "insert" else NOTHING
            read = item.reading[to] if kind != "delete" else NOTHING
            counts[lost, read] += 1
    return counts


def _make_confusion_table(counts: Counter[tuple[str, str]]) -> str:
    if not counts:
        return "<p>There are none.</p>"
    names = sorted({name for pair in counts for name in pair})
    most = max(counts.values())
    lines = ["<tr><th></th>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"]
    for truth in names:
        cells = "".join(_make_confusion_cell(truth, read, counts[truth, read], most) for read in names)
        lines.append(f"<tr><th>{escape(truth)}</th>{cells}</tr>")
    return f'<table class="confusion" id="confusion">{"".join(lines)}</table>'


def _make_confusion_cell(truth: str, read: str, count: int, most: int) -> str:
    if not count:
        return "<td></td>"
    shade = 0.12 + 0.88 * count / most
    said = escape(f"{truth} read as {read}: {count}")
    return f'<td style="background: rgba(179, 38, 30, {shade:.2f})" title="{said}">{count}</td>'


def collect_wrong(results: list[SetResult], sets: dict[str, TestSet], most: int) -> tuple[list[dict], int]:
    """The items wrong in some column, worst first, at most `most` with their pictures; and how many there are."""
    wrong = [(result, item) for result in results for item in result.items if _list_wrong_columns(result, item)]
    wrong.sort(key=lambda pair: (-Levenshtein.normalized_distance(pair[1].truth, pair[1].reading), -pair[1].confidence))
    return [_make_entry(result, item, sets[result.name]) for result, item in wrong[:most]], len(wrong)


def _list_wrong_columns(result: SetResult, item: Item) -> list[str]:
    return [column for column in result.scores if not item.readable or item.answer(column) != item.truth]


def _make_entry(result: SetResult, item: Item, test_set: TestSet) -> dict:
    answers = {
        column: {
            "word": item.answer(column),
            "right": item.answer(column) == item.truth,
            "within": item.chosen[column].within,
        }
        for column in result.scores
        if column != "none"
    }
    return {
        "set": result.name,
        "key": item.key,
        "truth": item.truth,
        "reading": item.reading,
        "confidence": round(item.confidence, 4),
        "answers": answers,
        "wrong": _list_wrong_columns(result, item),
        "image": _encode_picture(test_set, item),
    }


def _encode_picture(test_set: TestSet, item: Item) -> str:
    """A 64-pixel-high JPEG as a data URL; empty where the image cannot be read."""
    try:
        image = test_set.reader[item.index].image.convert("RGB")
    except CorruptSample:
        return ""
    image.thumbnail((480, 64))
    file = BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
