"""What was read as one self-contained HTML page: each staff's picture, its re-engraving and a player side by side."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from io import BytesIO
from itertools import count
from pathlib import Path
from string import Template

from PIL import Image

from data_tools.files import write_text
from data_tools.music.notation import Doubt, Event, MusicError, Note, timeline
from omr.engrave import to_drawing
from omr.midi import perform
from omr.reading import StaffReading

_TEMPLATE = Path(__file__).with_name("page.html")
_UNSURE = 0.9
"""Confidence in a symbol below which it is marked."""


def write_page(path: str | Path, staves: Sequence[tuple[str, StaffReading]], title: str = "Music read") -> None:
    """Writes the page of the named staves, whole or not at all."""
    page = Template(_TEMPLATE.read_text(encoding="utf-8"))
    parts = "\n".join(_section(name, staff) for name, staff in staves)
    write_text(path, page.substitute(title=escape(title), staves=parts))


def _section(name: str, staff: StaffReading) -> str:
    try:
        drawing = _mark_measures(_scalable(to_drawing(staff.events)), staff.doubts)
        controls = (
            '<div class="controls"><button type="button">Play</button>'
            '<label>quarter notes a minute <input type="range" min="30" max="200" value="80"></label></div>'
        )
    except MusicError as error:
        drawing, controls = f'<p class="doubts">{escape(str(error))}</p>', ""
    doubts = "".join(f"<li>{escape(str(doubt))}</li>" for doubt in staff.doubts)
    return f"""<section data-score="{escape(json.dumps(_score(staff.events)))}">
<h2>{escape(name)} <small>confidence {staff.confidence:.2f}</small></h2>
<div class="pair">
<figure><img alt="the picture" src="{_data_address(staff.image)}"><figcaption>picture</figcaption></figure>
<figure>{drawing}<figcaption>read</figcaption></figure>
</div>
{controls}
{f'<ul class="doubts">{doubts}</ul>' if doubts else ""}
<details><summary>{len(staff.symbols)} symbols</summary><code>{_symbols(staff)}</code></details>
</section>"""


def _score(events: Sequence[Event]) -> dict:
    """What the player needs, in whole notes: sounds (start, length, MIDI pitch); notes as drawn (start, length)."""
    placed = list(timeline(events))
    notes = [(float(start), float(length) or 1 / 32) for start, event, length in placed if isinstance(event, Note)]
    sounds = [(float(sound.start), float(sound.length), sound.pitch) for sound in perform(events)]
    return {"sounds": sounds, "notes": notes, "length": float(max((s + n for s, _, n in placed), default=0))}


def _scalable(svg: str) -> str:
    """The drawing without its XML head, so wide as there is room."""
    size = r'width="(\d+)px" height="(\d+)px"'
    return re.sub(size, r'viewBox="0 0 \1 \2"', svg[svg.index("<svg") :], count=1)


def _mark_measures(svg: str, doubts: Sequence[Doubt]) -> str:
    """The drawing with its doubtful measures in a class of their own."""
    wrong, order = {doubt.measure for doubt in doubts}, count(1)
    return re.sub('class="measure"', lambda _: f'class="measure{" doubtful" * (next(order) in wrong)}"', svg)


def _data_address(image: Image.Image) -> str:
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _symbols(staff: StaffReading) -> str:
    pairs = zip(map(escape, staff.symbols), staff.confidences)
    return " ".join(f'<mark title="{p:.2f}">{symbol}</mark>' if p < _UNSURE else symbol for symbol, p in pairs)
