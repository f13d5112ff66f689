"""Signs that PrIMuS's encodings lack, above some notes of an MEI document: the notes must be read as if they were not.

Genuine incipits have trills (`t` in Plaine & Easie), which their labels leave out.
"""

from __future__ import annotations

import re
from random import Random

_MEASURE = re.compile(r"<measure .*?</measure>", re.DOTALL)
_NOTE = re.compile(r"<note (?![^>]*grace=)")
_SIGNS = {"trill": 8, "mordent": 1, "turn": 1}
_SHARE = 0.12
"""Of the notes of an incipit that has such signs."""


def add_signs(mei: str, rng: Random) -> str:
    """The document with trills, mordents or turns above some of its notes (grace notes excepted)."""
    sign = rng.choices(list(_SIGNS), list(_SIGNS.values()))[0]
    marked = 0

    def mark_measure(measure: re.Match) -> str:
        first = marked
        text = _NOTE.sub(mark_note, measure[0])
        signs = "".join(f'<{sign} staff="1" place="above" startid="#sign{n}"/>' for n in range(first, marked))
        return text.replace("</measure>", f"{signs}</measure>")

    def mark_note(note: re.Match) -> str:
        nonlocal marked
        if rng.random() >= _SHARE:
            return note[0]
        marked += 1
        return f'<note xml:id="sign{marked - 1}" '

    return _MEASURE.sub(mark_measure, mei)
