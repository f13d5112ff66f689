"""SynthText in the Wild (Gupta, Vedaldi, Zisserman, CVPR 2016): photographs with rendered words, named in `gt.mat`.

The file, of MATLAB, holds `imnames`, `wordBB` (2, 4, words) and `txt`, pieces of text with line ends. scipy reads it;
it is no dependency of this project.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data_tools.errors import UserError
from data_tools.readers.scenes.base import Annotation, SceneReader, make_region
from data_tools.sample import CorruptSample

NAME = "gt.mat"


class SynthTextReader(SceneReader):
    """Samples are the photographs of a `gt.mat`, in its order. Raises UserError where scipy is missing or the file is
    not SynthText's.
    """

    layout = "SynthText"

    def __init__(self, path: str | Path):
        path = Path(path)
        data = _load(path)
        try:
            names, self._boxes, self._texts = (data[key].reshape(-1) for key in ("imnames", "wordBB", "txt"))
            super().__init__(path.parent, [str(np.asarray(name).item()) for name in names])
        except (KeyError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: has no imnames, wordBB and txt as SynthText has") from error

    def annotate(self, index: int) -> Annotation:
        words = [word for text in np.asarray(self._texts[index]).reshape(-1) for word in str(text).split()]
        boxes = np.asarray(self._boxes[index])
        boxes = boxes.reshape(2, 4, -1) if boxes.size % 8 == 0 else np.zeros((2, 4, 0))
        if boxes.shape[2] != len(words):
            raise CorruptSample(self._names[index], "it has not as many words as boxes", "label")
        regions = [make_region(box.T, word) for box, word in zip(boxes.transpose(2, 0, 1), words)]
        flaws = [(f"word {number}", "has no area") for number, region in enumerate(regions, 1) if region is None]
        return Annotation(tuple(region for region in regions if region is not None), tuple(flaws))


def find_synthtext(path: Path) -> Path | None:
    """The `gt.mat` of a set: `path` itself or in it."""
    file = path if path.suffix.lower() == ".mat" else path / NAME
    return file if file.is_file() else None


def _load(path: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise UserError(f"{path}: SynthText's annotation needs scipy; run pip install scipy") from error
    try:
        return loadmat(path)
    except Exception as error:  # scipy raises almost anything on hostile bytes
        raise UserError(f"{path}: cannot be read as MATLAB's ({error})") from error
