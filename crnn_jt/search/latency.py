"""What the candidates of a search take on the CPU kernels, measured: a table in place of multiply-adds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np

from crnn_jt.layers import Plan, Shape
from crnn_jt.search.supernet import Prices, candidates_of, require_choices
from data_tools.errors import UserError
from data_tools.files import write_text

BATCH, ROUNDS = 16, 9

Table = dict[str, tuple[float, ...]]
"""Microseconds a picture: of each candidate by its choice's place in the plan; under "fixed" of all other layers."""


def time_plan(plan: Plan, before: Shape) -> float:
    """Microseconds that a network of a plan takes for a map of the shape `before`, with handing it over: the least of
    ROUNDS runs of BATCH maps, on as many threads as OpenMP has. Raises UserError for a plan that the kernels do not
    cover.
    """
    from crnn_jt.backend import state
    from crnn_jt.freeze import Images, NotCovered, begin_network
    from crnn_jt.stack import Stack

    try:
        images = Images(begin_network(before.channels), state(Stack(plan)))
        images.emit_plan(plan, 0, "")
    except NotCovered as why:
        raise UserError(f"a search by latency: {why}") from why
    images.network.end_maps("maps")
    maps = np.random.default_rng(0).standard_normal((BATCH, before.channels, before.height, before.width))
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        images.network.run_directly(maps.astype(np.float32))
        seconds.append(time.perf_counter() - begin)
    return min(seconds) / BATCH * 1e6


def measure_table(plan: Plan, before: Shape, timer: Callable[[Plan, Shape], float] = time_plan) -> Table:
    """The table of a plan with choices for a picture of the shape `before`. Alike layers are measured once, and so is
    what handing over a map of a shape takes, the time of an empty network, which is left out. Raises UserError where
    there is no choice, or one within a layer.
    """
    require_choices(plan)
    choices = candidates_of(plan)
    known: dict[tuple[Plan, Shape], float] = {}

    def run(part: Plan) -> float:
        if (part, before) not in known:
            known[part, before] = timer(part, before)
        return known[part, before]

    def take(part: Plan) -> float:
        return max(run(part) - run(()), 0.0) if part else 0.0

    table: Table = {"fixed": ()}
    kept: dict[str, Shape] = {}
    for is_choice, group in groupby(enumerate(plan), lambda entry: entry[0] in choices):
        entries = list(group)
        if not is_choice:
            table["fixed"] += (take(tuple(layer for _, layer in entries)),)
        for place, layer in entries:
            if is_choice:
                table[str(place)] = tuple(take(candidate) for candidate in choices[place])
            before = layer.shape(before, kept)
    return table


def prices_in(table: Table, plan: Plan) -> Prices:
    """A table as what a search weighs. Raises UserError where it is of another plan."""
    counts = {str(place): len(own) for place, own in candidates_of(plan).items()}
    if {place: len(own) for place, own in table.items() if place != "fixed"} != counts:
        raise UserError("the table of latencies is of another network: it has other choices, or other candidates")
    candidates = {int(place): np.array(table[place]) for place in counts}
    return Prices(sum(table["fixed"]), candidates, "microseconds", 1.0)


def write_table(path: Path, table: Table) -> None:
    """As JSON, whole or not at all."""
    write_text(path, json.dumps(table, indent=1))


def read_table(path: Path) -> Table:
    """What `write_table` wrote. Raises UserError for anything else."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--latencies {path}: cannot be read ({error})") from error
    good = isinstance(table, dict) and "fixed" in table and all(map(_is_row, table.values()))
    if not good:
        raise UserError(f"--latencies {path}: no table of latencies; `search operations --cost latency` writes one")
    return {place: tuple(row) for place, row in table.items()}


def _is_row(row: object) -> bool:
    return isinstance(row, list) and all(type(each) in (int, float) and 0 <= each < float("inf") for each in row)
