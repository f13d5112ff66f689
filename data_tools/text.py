"""Text normalisation as the published protocols do it."""

from __future__ import annotations

import re

_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]+")


def alphanumeric(text: str) -> str:
    """Lower case, reduced to 0-9a-z: what labels, predictions and lexicons become before they are compared."""
    return _NOT_ALPHANUMERIC.sub("", text.lower())
