"""Stages, models and tasks by name, so that a spec can say which one it wants."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from crnn_jt.spec import LARGEST, StageSpec
from crnn_jt.strict import convert
from data_tools.errors import UserError


class Registry:
    """Classes by name. `kind` names them in messages."""

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, type] = {}

    def register(self, name: str) -> Callable[[type], type]:
        """Class decorator; a name that is taken raises KeyError."""

        def add(entry: type) -> type:
            if name in self._entries:
                raise KeyError(f"{self.kind} {name} is registered already: {self._entries[name]}")
            self._entries[name] = entry
            return entry

        return add

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._entries)

    def get(self, name: str) -> type:
        """The class of that name. Raises UserError where there is none."""
        if name not in self._entries:
            raise UserError(f"{self.kind}: no {name!r}; there are: {', '.join(self.names())}")
        return self._entries[name]

    def build_stage(self, stage: StageSpec, **given: Any):
        """`build` of a stage as a spec names it."""
        return self.build(stage.name, stage.options, **given)

    def build(self, name: str, options: dict[str, Any], **given: Any):
        """Builds the stage; `options` come from the spec, `given` from the stages before it, as far as the stage
        takes them.

        Raises UserError for an unknown name, an unknown option or a value that the stage refuses.
        """
        entry = self.get(name)
        parameters = inspect.signature(entry.__init__).parameters
        given = {key: value for key, value in given.items() if key in parameters}
        known = [key for key in parameters if key != "self" and key not in given]
        for key in options:
            if key not in known:
                raise UserError(f"{self.kind} {name}: no option {key!r}; it takes: {', '.join(known) or 'none'}")
        hints = typing.get_type_hints(entry.__init__)
        values = {key: convert(hints[key], value, f"{self.kind} {name}: {key}") for key, value in options.items()}
        for key, value in values.items():
            if isinstance(value, int | float) and not 0 <= value <= LARGEST:
                raise UserError(f"{self.kind} {name}: {key}: {value}; it takes 0 to {LARGEST}")
        try:
            return entry(**given, **values)
        except ValueError as error:
            raise UserError(f"{self.kind} {name}: {error}") from error


RECTIFIERS = Registry("rectifier")
EXTRACTORS = Registry("extractor")
REFINERS = Registry("refiner")
GENERATORS = Registry("generator")
CORRECTORS = Registry("corrector")
NECKS = Registry("neck")
HEADS = Registry("head")
