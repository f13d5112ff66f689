"""Detection in two stages: boxes proposed, then told from what is no text, refined, and masked (Ren et al., "Faster
R-CNN", NIPS 2015; He et al., "Mask R-CNN", ICCV 2017), as text spotters have it (Chen et al., ECCV 2022, section 3.1).

Differences from these: which negatives are learnt from is not drawn, they are the hardest, as the other head here has
it; a region is sampled twice as densely and averaged; nothing is normalised in the heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from crnn_jt import boxes as geometry
from crnn_jt import layers
from crnn_jt.backend import nn, ops
from crnn_jt.blocks import conv_unit
from crnn_jt.boxes import RATIOS, draw_mask, outline
from crnn_jt.decoding.regions import Found
from crnn_jt.heads.db import cross_entropy
from crnn_jt.layers import ConvTranspose, Layer, Plan, Shape
from crnn_jt.regions import cut_boxes, level_of, sort_by_level
from crnn_jt.registry import HEADS
from crnn_jt.stack import Stack
from data_tools.readers.quads import to_quad
from data_tools.sample import Region

POSITIVE, NEGATIVE = 0.7, 0.3
"""An anchor is text at this overlap with a word (or where it is a word's best), none below the other."""
RIGHT = 0.5
"""A proposal is text at this overlap."""
HARD = 3
"""Negatives that are learnt from for each positive, the hardest, and this times as many pictures' worth where there is
none."""
LEAST = 16
BOX, MASK = 7, 14
"""Sides of what the box's and the mask's layers see of a region; masks come out twice as large."""
TRIED, SAME, TWICE = 1000, 0.7, 0.3
"""Anchors that are looked at, overlaps at which proposals, and texts found, are taken for one."""
SURE = 0.5


@dataclass(frozen=True)
class TextBoxes:
    """The first `most` regions of a photograph: `quads` (most, 4, 2) in pixels, `kinds` (most,) 1 of text, -1 of what
    is not judged, 0 of none.
    """

    most: int = 64

    def __call__(self, regions: Sequence[Region], height: int, width: int) -> Mapping[str, np.ndarray]:
        quads, kinds = np.zeros((self.most, 4, 2), np.float32), np.zeros(self.most, np.int8)
        for number, region in enumerate(regions[: self.most]):
            quads[number], kinds[number] = to_quad(region.polygon), 1 if region.legible else -1
        return {"quads": quads, "kinds": kinds}


@HEADS.register("proposals")
class ProposalHead(nn.Module):
    """Levels (N, C, H, W) from fine, at a `stride`-th of the photograph, to coarse -> boxes, and what of each is text.
    `hidden` features of the box's layers, `proposals` a photograph.

    Losses, means over photographs of means over what is learnt from: `propose` and `place` of the anchors, `tell` and
    `refine` of the proposals, `mask` of those that are text.
    """

    tiny: ClassVar[dict[str, Any]] = {"hidden": 16, "proposals": 12}
    weights: ClassVar[dict[str, float]] = {}
    factor: ClassVar[int] = 1
    by_map: ClassVar[bool] = False

    def __init__(self, in_channels: int, stride: int = 4, hidden: int = 1024, proposals: int = 100):
        if min(hidden, proposals) < 1:
            raise ValueError("hidden and proposals take 1 or more")
        super().__init__()
        self.stride, self.proposals = stride, proposals
        plain, point = {"norm": False}, {"kernel": (1, 1), "padding": (0, 0)}
        linear = {**plain, **point, "activation": ""}
        whole = conv_unit(in_channels, hidden, (BOX, BOX), padding=(0, 0), **plain)
        masks = [unit for _ in range(4) for unit in conv_unit(in_channels, in_channels, **plain)]
        self.plans: dict[str, Plan] = {
            "common": conv_unit(in_channels, in_channels, **plain),
            "score": conv_unit(in_channels, len(RATIOS), **linear),
            "offset": conv_unit(in_channels, 4 * len(RATIOS), **linear),
            "box": (*whole, *conv_unit(hidden, hidden, **plain, **point)),
            "class": conv_unit(hidden, 1, **linear),
            "refine": conv_unit(hidden, 4, **linear),
            "mask": (*masks, ConvTranspose(in_channels, in_channels), *conv_unit(in_channels, 1, **linear)),
        }
        for name, plan in self.plans.items():
            setattr(self, name, Stack(plan))

    def named_layers(self) -> dict[str, Layer]:
        """Every layer that may hold arrays, by its key within the stage."""
        return {key: one for name, plan in self.plans.items() for key, one in layers.walk(plan, f"{name}.")}

    def targets(self, stride: int) -> TextBoxes:
        """What makes the targets of a photograph."""
        return TextBoxes()

    def cost(self, shapes: list[Shape]) -> int:
        """Multiply-adds of reading: all proposals are told, as many masks are drawn at most."""
        sizes = {"box": (BOX, BOX), "class": (1, 1), "refine": (1, 1), "mask": (MASK, MASK)}
        each = sum(layers.cost(self.plans[name], None, *size) for name, size in sizes.items())
        first = [self.plans[name] for name in ("common", "score", "offset")]
        return self.proposals * each + sum(layers.cost(plan, None, *shape[1:]) for plan in first for shape in shapes)

    def losses(self, levels: list, targets: dict[str, np.ndarray]) -> dict[str, Any]:
        """Means over photographs by name; `targets` are those of `TextBoxes`."""
        truths = [_Truths(quads, kinds) for quads, kinds in zip(targets["quads"], targets["kinds"])]
        anchors, scores, offsets = self._look(levels)
        found = self._anchor_losses(anchors, scores, offsets, truths)
        sides = [self.stride * side for side in levels[0].shape[2:]]
        chosen = [
            sort_by_level(np.concatenate([boxes, truth.boxes, [[0, 0, *sides[::-1]]]]), len(levels))
            for boxes, truth in zip(self._propose(anchors, scores, offsets, sides, len(levels)), truths)
        ]
        return found | self._box_losses(levels, chosen, truths)

    def _look(self, levels: list) -> tuple:
        """Anchors (A, 4) of all levels, their logits (N, A) and offsets (N, A, 4)."""
        scores, offsets = [], []
        for features in levels:
            common, batch = self.common(features), features.shape[0]
            scores.append(self.score(common).permute(0, 2, 3, 1).reshape((batch, -1)))
            own = self.offset(common)  # (N, 4 · ratios, H, W)
            offsets.append(own.permute(0, 2, 3, 1).reshape((batch, -1, 4)))
        sizes = [tuple(features.shape[2:]) for features in levels]
        strides = [self.stride * 2**level for level in range(len(levels))]
        return geometry.make_anchors(sizes, strides), ops.concat(scores, 1), ops.concat(offsets, 1)

    def _anchor_losses(self, anchors: np.ndarray, scores, offsets, truths: list[_Truths]) -> dict[str, Any]:
        labels = [truth.label(anchors, POSITIVE, NEGATIVE) for truth in truths]
        wanted = np.stack([own[0] for own in labels])  # (N, A) 1, 0, or -1 where nobody is asked
        places = np.stack([geometry.encode(own[1], anchors) for own in labels])
        entropy = cross_entropy(scores, np.maximum(wanted, 0))
        weights = _choose(ops.numpy(ops.stop_gradient(entropy)), wanted)
        return {
            "propose": (entropy * ops.array(weights)).sum(),
            "place": (_smooth(offsets - ops.array(places)) * ops.array(_share(wanted > 0))).sum(),
        }

    def _propose(self, anchors: np.ndarray, scores, offsets, sides: Sequence[int], levels: int) -> list[np.ndarray]:
        """The boxes that may be text, of each photograph, by level."""
        scores, offsets, found = ops.numpy(scores), ops.numpy(offsets), []
        for own, places in zip(scores, offsets):
            best = np.argsort(-own, kind="stable")[:TRIED]
            boxes = geometry.clip(geometry.decode(places[best], anchors[best]), *sides)
            large = (boxes[:, 2:] - boxes[:, :2]).min(1) >= 1
            boxes, chances = boxes[large], own[best][large]
            kept = geometry.suppress(boxes, chances, SAME, self.proposals)
            found.append(sort_by_level(boxes[kept], levels))
        return found

    def _box_losses(self, levels: list, chosen: list[np.ndarray], truths: list[_Truths]) -> dict[str, Any]:
        labels = [truth.label(boxes, RIGHT, RIGHT) for truth, boxes in zip(truths, chosen)]
        most = max(map(len, chosen))
        wanted = np.full((len(chosen), most), -1)
        for row, (own, _, _) in zip(wanted, labels):
            row[: len(own)] = own
        rows = np.concatenate([number * most + np.arange(len(boxes)) for number, boxes in enumerate(chosen)])
        logits, refined = self._tell(levels, chosen)
        entropy = cross_entropy(logits, np.maximum(wanted.ravel()[rows], 0))
        full = np.zeros(wanted.size, np.float32)
        full[rows] = ops.numpy(ops.stop_gradient(entropy))
        weights = _choose(full.reshape(wanted.shape), wanted).ravel()[rows]
        places = np.concatenate([geometry.encode(own[1], boxes) for own, boxes in zip(labels, chosen)])
        shares = _share(wanted > 0).reshape(-1)[rows]
        found = {
            "tell": (entropy * ops.array(weights)).sum(),
            "refine": (_smooth(refined - ops.array(places)) * ops.array(shares)).sum(),
        }
        return {**found, "mask": self._mask_loss(levels, chosen, labels, truths)}

    def _tell(self, levels: list, chosen: list[np.ndarray]) -> tuple:
        """Logits (B,) of being text, and offsets (B, 4), of the boxes of all photographs in turn."""
        hidden = self.box(cut_boxes(levels, chosen, self.stride, BOX))
        return getattr(self, "class")(hidden).reshape((-1,)), self.refine(hidden).reshape((-1, 4))

    def _mask_loss(self, levels: list, chosen, labels, truths):
        """Of the boxes that are text: the mean over a photograph's pixels, and over photographs."""
        boxes, wanted, shares = [], [], []
        for own, (kinds, _, nearest), truth in zip(chosen, labels, truths):
            right = np.flatnonzero(kinds > 0)[: self.proposals]
            boxes.append(own[right])
            wanted += [draw_mask(truth.quads[nearest[row]], own[row], 2 * MASK) for row in right]
            shares += [1 / (max(1, len(right)) * len(chosen))] * len(right)
        if not shares:
            boxes, wanted, shares = [chosen[0][:1], *boxes[1:]], [np.zeros((2 * MASK, 2 * MASK))], [0.0]
        logits = self.mask(cut_boxes(levels, boxes, self.stride, MASK)).reshape((len(shares), -1))
        entropy = cross_entropy(logits, np.stack(wanted).reshape(len(shares), -1))
        return (entropy.mean(1) * ops.array(np.array(shares, np.float32))).sum()

    def find(self, levels: list, sizes: np.ndarray) -> list[list[Found]]:
        """What is text in each photograph of `sizes` (N, 2) in its pixels; the module in eval mode, without a graph."""
        anchors, scores, offsets = self._look(levels)
        sides = [self.stride * side for side in levels[0].shape[2:]]
        chosen = self._propose(anchors, scores, offsets, sides, len(levels))
        if not any(map(len, chosen)):
            return [[] for _ in chosen]
        logits, refined = (ops.numpy(each) for each in self._tell(levels, chosen))
        chances, ends = 1 / (1 + np.exp(-logits)), np.cumsum([len(boxes) for boxes in chosen])[:-1]
        kept = []
        for boxes, own, places, size in zip(chosen, np.split(chances, ends), np.split(refined, ends), sizes):
            boxes, sure = geometry.clip(geometry.decode(places, boxes), *size), own >= SURE
            large = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) >= 1
            boxes, own = boxes[sure & large], own[sure & large]
            best = geometry.suppress(boxes, own, TWICE, self.proposals)
            best = best[np.argsort(level_of(boxes[best], len(levels)), kind="stable")]
            kept.append((boxes[best], own[best]))
        return self._outline(levels, kept)

    def _outline(self, levels: list, kept: list[tuple]) -> list[list[Found]]:
        boxes = [own for own, _ in kept]
        if not any(map(len, boxes)):
            return [[] for _ in boxes]
        masks = iter(ops.numpy(self.mask(cut_boxes(levels, boxes, self.stride, MASK)))[:, 0] > 0)
        return [[outline(next(masks), box, float(score)) for box, score in zip(*own)] for own in kept]


class _Truths:
    """The regions of one photograph: quads and boxes of text, boxes of what is not judged."""

    def __init__(self, quads: np.ndarray, kinds: np.ndarray):
        self.quads = quads[kinds > 0]
        self.boxes = np.array([geometry.around(quad) for quad in self.quads], np.float32).reshape(-1, 4)
        others = [geometry.around(quad) for quad in quads[kinds < 0]]
        self.others = np.array(others, np.float32).reshape(-1, 4)

    def label(self, boxes: np.ndarray, high: float, low: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of boxes (B, 4): 1 text (overlap `high` or a word's best), 0 none (below `low`), -1 not asked, (B,); the box
        (B, 4) and the number (B,) of the word that each overlaps most.
        """
        kinds, nearest, own = np.zeros(len(boxes), np.int64), np.zeros(len(boxes), np.int64), boxes
        if len(self.boxes):
            shared = geometry.overlaps(boxes, self.boxes)
            nearest, most = shared.argmax(1), shared.max(1)
            kinds = np.where(most >= high, 1, np.where(most < low, 0, -1))
            best = shared.argmax(0)[shared.max(0) > 0]
            kinds[best] = 1
            own = self.boxes[nearest]
        if len(self.others):
            unjudged = geometry.overlaps(boxes, self.others).max(1) > NEGATIVE
            kinds = np.where(unjudged & (kinds == 0), -1, kinds)
        return kinds, own, nearest


def _smooth(off):
    """Huber's loss of offsets (…, 4), the sum of the four."""
    large = ops.clip(off.abs(), 0.0, 1.0)
    return (off.abs() * large - large * large * 0.5).sum(-1)


def _choose(entropy: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights (N, A), an equal share for each photograph: all that is text and the hardest of what is none."""
    chosen = wanted > 0
    for loss, own, row in zip(entropy, wanted, chosen):
        negatives = np.flatnonzero(own == 0)
        count = max(HARD * int((own > 0).sum()), LEAST)
        row[negatives[np.argsort(-loss[negatives], kind="stable")[:count]]] = True
    return _share(chosen)


def _share(chosen: np.ndarray) -> np.ndarray:
    """(N, A) as weights with which a sum is the mean over photographs of the mean over what is chosen."""
    return (chosen / np.maximum(chosen.sum(1, keepdims=True), 1) / len(chosen)).astype(np.float32)
