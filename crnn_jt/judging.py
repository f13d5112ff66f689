"""What a photograph loses at lower resolutions, by a model that looks at it: what a selector of resolutions learns
from.

A spotter is asked what it makes of the texts that it reads at full size (Chen et al., "Dynamic low-resolution
distillation for cost-efficient end-to-end text spotting", ECCV 2022); a detector, whose crops are read sharp anyway,
how sure it stays of the regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.decoding.ctc import pad
from crnn_jt.distilling import log_likelihood, search, share_out
from crnn_jt.models.detector import Detector
from crnn_jt.models.spotter import Spotter
from crnn_jt.regions import widths_of
from data_tools.photos.scaling import pad_to, rescale
from data_tools.photos.targets import ShrunkMaps
from data_tools.readers.quads import to_quad
from data_tools.sample import Region

LEAST = 1e-4
"""A detector's chances below it count as this."""


class Judge(Protocol):
    """What says how much is lost."""

    def __call__(self, image: np.ndarray, regions: Sequence[Region], scales: Sequence[float]) -> np.ndarray:
        """Losses (k,) at each scale of a photograph float32 (C, H, W) in [-1, 1] with regions in its pixels; 0 where
        there is nothing to be read.
        """
        ...


class MapJudge:
    """-log of a detector's chances inside the shrunk regions, the mean of a region's pixels and of all regions."""

    def __init__(self, detector: Detector):
        self.detector = detector

    def __call__(self, image: np.ndarray, regions: Sequence[Region], scales: Sequence[float]) -> np.ndarray:
        stride = self.detector.stride
        size = [-(-side // stride) for side in image.shape[1:]]
        inside = [self._mask(region, size) for region in regions if region.legible]
        inside = [mask for mask in inside if mask.any()]
        if not inside:
            return np.zeros(len(scales), np.float32)
        found = [self._look(rescale(image, scale), size) for scale in scales]
        misses = [-np.log(np.maximum(each, LEAST)) for each in found]
        return np.float32([np.mean([each[mask].mean() for mask in inside]) for each in misses])

    def _mask(self, region: Region, size: Sequence[int]) -> np.ndarray:
        stride = self.detector.stride
        return ShrunkMaps(stride)([region], size[0] * stride, size[1] * stride)["shrunk"] > 0

    def _look(self, image: np.ndarray, size: Sequence[int]) -> np.ndarray:
        """The map of a photograph, brought to `size`, that of the whole one."""
        stride = self.detector.stride
        with backend.no_grad():
            chances = self.detector.probabilities(pad_to(image, self.detector.multiple))[0]
        rows, columns = (-(-side // stride) for side in image.shape[1:])
        own = np.ascontiguousarray(chances[:rows, :columns])
        return cv2.resize(own, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


class TextJudge:
    """-log p, by the spotter at each scale, of the texts that the teacher reads in the regions at full size: the mean
    of a text's symbols and end, of the `beams` likeliest by their shares, and of all regions.
    """

    def __init__(self, student: Spotter, teacher: Spotter, beams: int = 3):
        self.student, self.teacher, self.beams = student, teacher, beams

    def __call__(self, image: np.ndarray, regions: Sequence[Region], scales: Sequence[float]) -> np.ndarray:
        quads = [to_quad(region.polygon) for region in regions if region.legible]
        if not quads:
            return np.zeros(len(scales), np.float32)
        widths = widths_of(quads, self.teacher.spec.region)
        with backend.no_grad():
            told = search(self.teacher.generator, *self._see(self.teacher, image, quads, widths), self.beams)
            longest = self.student.spec.labels.max_length
            texts, shares = share_out(
                told, [(1,)] * len(quads), self.beams, lambda number, text: 0 < len(text) <= longest
            )
            return np.float32([self._miss(image, quads, widths, scale, texts, shares) for scale in scales])

    def _see(self, model: Spotter, image: np.ndarray, quads: list, widths: np.ndarray) -> tuple:
        """The refined sequence (T, R, D) of all regions and its lengths."""
        features = model.features(ops.array(pad_to(image, model.multiple)))
        sequence, lengths = model.look_inside(features, [quads], widths)
        return model.refine(sequence, lengths), lengths

    def _miss(self, image, quads, widths, scale: float, texts: list, shares: np.ndarray) -> float:
        small = rescale(image, scale)
        factors = np.float32([small.shape[2] / image.shape[2], small.shape[1] / image.shape[1]])
        sequence, lengths = self._see(self.student, small, [quad * factors for quad in quads], widths)
        targets, sizes = pad(texts)
        several, tiled = ops.concat([sequence] * self.beams, 1), np.tile(lengths, self.beams)
        logs = ops.numpy(log_likelihood(self.student.generator, several, tiled, targets, sizes)).astype(np.float64)
        return float(-(np.maximum(logs, -1e3) / (sizes + 1) * shares.ravel()).sum() / len(quads))


def judge_of(student: Detector, teacher: Detector, beams: int) -> Judge:
    """What judges for that kind of model."""
    return TextJudge(student, teacher, beams) if isinstance(student, Spotter) else MapJudge(student)
