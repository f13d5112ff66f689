"""Weights of others in, under this project's names: a layout is known by its arrays."""

from __future__ import annotations

from pathlib import Path

from crnn_jt.foreign import abinet, aster, crnn, paddle
from crnn_jt.foreign.files import Imported, read_dictionary, read_foreign
from crnn_jt.spec import ALPHANUMERIC
from data_tools.errors import UserError

__all__ = ["Imported", "import_weights", "read_dictionary", "read_foreign"]


def import_weights(
    path: str | Path, characters: str | None = None, name: str = "crnn", strides: str = "ABABB"
) -> Imported:
    """A published recogniser as this project's model; `characters` in class order (None: as the layout's public code
    has them), `strides` the downsampling path of AutoSTR's. Raises UserError naming what is missing, extra or
    misshapen.
    """
    from crnn_jt import backend
    from crnn_jt.models import construct

    arrays, options = abinet.unfold(read_foreign(path)), {}
    if abinet.FIRST in arrays:
        layout, usual = abinet, abinet.CHARACTERS
    elif aster.FIRST in arrays:
        layout, usual, options = aster, aster.characters_of(), {"path": strides}
    else:
        layout, usual = paddle if paddle.FIRST in arrays else crnn, ALPHANUMERIC
    try:
        spec = layout.spec_of(arrays, usual if characters is None else characters, name, **options)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    recognizer = construct(spec)
    translated, notes = layout.translate(arrays, backend.state(recognizer), recognizer.extractor.layers(), str(path))
    return Imported(translated, spec, notes)
