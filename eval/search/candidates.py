"""The backbones that are compared: those found by a search, the paper's, hand-made ones, and random ones of the same
cost, without which a search has shown nothing (Li & Talwalkar, "Random search and reproducibility for NAS", UAI 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crnn_jt.layers import Shape, cost
from crnn_jt.search import space
from crnn_jt.search.supernet import Prices, prices_of
from crnn_jt.spec import Config, RecognizerSpec, StageSpec, read_config
from data_tools.errors import UserError

PATHS = ("ABABB", "AABBB")
"""The one that won in the paper, and ASTER's."""
OTHERS = {
    "darts": ("published", StageSpec("cells", {"genotype": "darts"})),
    "darts-second": ("published", StageSpec("cells", {"genotype": "darts-second"})),
    "auto-deeplab": ("published", StageSpec("cells", {"genotype": "auto-deeplab"})),
    "auto-deeplab-path": ("published", StageSpec("aster", {"units": [11, 1, 1, 1, 1], "path": "BBBAA"})),
    "aster": ("hand-made", StageSpec("aster", {})),
    "resnet23": ("hand-made", StageSpec("resnet23", {})),
    "light": ("hand-made", StageSpec("light", {})),
}
"""What stands outside of AutoSTR's space, by name: where it comes from, and the extractor. AutoSTR's public code
compares with DARTS' cells of first order, and with the path that Auto-DeepLab's search ends in, of ASTER's units; that
search's own cells and DARTS' of second order stand beside them.
"""
WIDE = ("cells", "aster")
"""Those of these that are as wide as the configuration says."""
NEAR = 0.1
"""How far the cost of a random architecture may lie from the goal, as a share of it."""
DRAWS = 200_000


@dataclass(frozen=True)
class Candidate:
    """A backbone by name; `kind` says where it comes from."""

    name: str
    kind: str
    extractor: StageSpec


def list_candidates(config: Config, searched: Sequence[str], count: int, seed: int) -> list[Candidate]:
    """All that are compared under a configuration, whose extractor must be named autostr and says width and layers:
    `searched` (NAME=found.yaml), the published operations, MBConv(5,6) and ASTER's unit in all layers on both paths,
    those of other searches, three hand-made ones, `count` random ones. Raises UserError.
    """
    stage = config.model.extractor
    if stage.name != "autostr":
        raise UserError(f"--config {config.model.name}: its extractor is {stage.name}; name one with autostr")
    layers = len(stage.options.get("operations", space.PUBLISHED))
    found = [_read_searched(text) for text in searched]
    named = {"published": space.PUBLISHED} if layers == space.LAYERS else {}
    named |= {"k5e6": ("k5e6",) * layers, "residual": (space.RESIDUAL,) * layers}
    for path in PATHS:
        kinds = ((f"{name}-{path}", name, operations) for name, operations in named.items())
        found += [
            Candidate(name, "published" if kind == "published" else "hand-made", _place(stage, path, operations))
            for name, kind, operations in kinds
        ]
    width = {"width": stage.options["width"]} if "width" in stage.options else {}
    for name, (kind, other) in OTHERS.items():
        options = other.options | width if other.name in WIDE else other.options
        found.append(Candidate(name, kind, replace(other, options=options)))
    drawn = draw_random(config, count, seed) if count else []
    return found + [Candidate(f"random-{number}", "random", one) for number, one in enumerate(drawn, 1)]


def _read_searched(text: str) -> Candidate:
    name, mark, path = text.partition("=")
    if not (mark and name and path):
        raise UserError(f"--searched {text}: it takes NAME=FILE, the found.yaml of a search")
    return Candidate(f"searched-{name}", "searched", read_config(Path(path)).model.extractor)


def _place(stage: StageSpec, path: str, operations: Sequence[str]) -> StageSpec:
    return replace(stage, options={**stage.options, "path": path, "operations": list(operations)})


def draw_random(config: Config, count: int, seed: int) -> list[StageSpec]:
    """Architectures with operations drawn alike in all layers, on the configuration's path, that cost as much as its
    own within `NEAR`; the nearest ones where there are not enough. The same for the same seed.
    """
    stage = config.model.extractor
    path = stage.options.get("path", PATHS[0])
    shapes = space.shapes_of(path, len(stage.options.get("operations", space.PUBLISHED)))
    fit = [space.operations_for(*shape) for shape in shapes]
    prices, goal = price(config.model, _place(stage, path, [space.ANY] * len(shapes))), cost_of(config.model)
    rng = np.random.default_rng((seed, len(shapes)))
    drawn = np.stack([rng.integers(len(names), size=DRAWS) for names in fit], 1)  # (draws, layers)
    totals = prices.fixed + sum(own[drawn[:, n]] for n, own in enumerate(prices.candidates.values()))
    away = np.abs(totals / goal - 1)
    near = np.flatnonzero(away <= NEAR)
    chosen = near if len(near) >= count else np.argsort(away, kind="stable")
    named = [[names[number] for names, number in zip(fit, drawn[row])] for row in chosen[:count]]
    return [_place(stage, path, operations) for operations in named]


def seen(model: RecognizerSpec) -> Shape:
    """The shape of what the extractor sees of a picture of the spec's size."""
    import crnn_jt.rectifiers  # noqa: F401  (they register themselves)
    from crnn_jt.registry import RECTIFIERS

    image, size = model.image, (model.image.height, model.image.width)
    if model.rectifier is not None:
        given = {"in_channels": image.channels, "height": image.height}
        size = RECTIFIERS.build_stage(model.rectifier, **given).out_shape(*size)
    return Shape(image.channels, *map(int, size))


def price(model: RecognizerSpec, stage: StageSpec) -> Prices:
    """The prices of an extractor with choices."""
    return prices_of(_plan(model, stage), seen(model))


def cost_of(model: RecognizerSpec) -> int:
    """Multiply-adds of a model's extractor for a picture of the spec's size."""
    return cost(_plan(model, model.extractor), *seen(model))


def _plan(model: RecognizerSpec, stage: StageSpec):
    import crnn_jt.extractors  # noqa: F401  (they register themselves)
    from crnn_jt.registry import EXTRACTORS

    shape = seen(model)
    return EXTRACTORS.build_stage(stage, in_channels=shape.channels, height=shape.height).layers()
