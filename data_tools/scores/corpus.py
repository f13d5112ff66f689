"""Scores as files in PrIMuS's own layout: `<id>/<id>.png`, `.semantic`, `.agnostic`, `.mei`, `<id>_distorted.jpg`."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from data_tools.errors import UserError
from data_tools.music.semantic import file_text
from data_tools.records import WriteReport, is_good, jpeg
from data_tools.sample import CorruptSample, EncodedSample
from data_tools.scores import PaeScores, RenderedScores
from data_tools.workers import Pool

_PER_JOB = 16


def write_corpus(
    reader: RenderedScores | PaeScores,
    path: str | Path,
    *,
    camera: bool = False,
    workers: int = 0,
    resume: bool = False,
) -> WriteReport:
    """Writes all scores of `reader` below `path`; the same files for any number of `workers`.

    Each score's folder appears whole or not at all, so an interrupted run leaves a corpus that opens; with `resume`
    folders that are there are kept. `camera` adds the distorted pictures. Bad scores are counted, named and left out.

    Raises UserError where `path` exists (without `resume`), cannot be written, or no score is good.
    """
    path = Path(path)
    if path.exists() and not resume:
        raise UserError(f"{path}: exists already; name another place, or resume the run that made it (--resume)")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another place") from error
    skipped: Counter[str] = Counter()
    done = 0
    for result in _written(reader, path, camera, workers):
        done += is_good(result, skipped)
    if not done:
        raise UserError(f"{path}: not one of {len(reader)} scores is good; nothing was written")
    return WriteReport(done, skipped)


def _written(reader, path: Path, camera: bool, workers: int) -> Iterator[EncodedSample | CorruptSample]:
    pool = Pool(_Write(reader, path, camera), workers)
    jobs = ((at, min(at + _PER_JOB, len(reader))) for at in range(0, len(reader), _PER_JOB))
    try:
        with tqdm(total=len(reader), desc=path.name, unit=" scores", disable=None) as bar:
            for results in pool.run(jobs):
                yield from results
                bar.update(len(results))
    finally:
        pool.close()


@dataclass(frozen=True)
class _Write:
    """A worker's task: draws and writes the scores of some positions."""

    reader: RenderedScores | PaeScores
    path: Path
    camera: bool

    def __call__(self, start: int, stop: int) -> list[EncodedSample | CorruptSample]:
        return [self._one(index) for index in range(start, stop)]

    def _one(self, index: int) -> EncodedSample | CorruptSample:
        try:
            score = self.reader.score(index)
            folder = self.path / score.key
            if not folder.exists():
                self._write(folder, score, self.reader.picture(score, index), index)
        except CorruptSample as corrupt:
            return corrupt
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); free space or name another") from error
        return EncodedSample(b"", "", score.key)

    def _write(self, folder: Path, score, image: Image.Image, index: int) -> None:
        new = folder.with_name(f".{score.key}.part")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        (new / f"{score.key}.png").write_bytes(two_shades(image))
        (new / f"{score.key}.semantic").write_text(file_text(score.semantic), encoding="utf-8")
        (new / f"{score.key}.agnostic").write_text(file_text(score.agnostic), encoding="utf-8")
        (new / f"{score.key}.mei").write_text(score.mei, encoding="utf-8")
        if self.camera:
            (new / f"{score.key}_distorted.jpg").write_bytes(jpeg(self.reader.photograph(image, index)))
        os.rename(new, folder)


def two_shades(image: Image.Image) -> bytes:
    """PNG; with a palette of one bit where the picture has two shades only, as PrIMuS's own."""
    levels = np.asarray(image.convert("L"))
    dark, light = int(levels.min()), int(levels.max())
    ink = levels == dark
    if dark < light and (ink | (levels == light)).all():
        image = Image.fromarray(ink.view(np.uint8), "P")
        image.putpalette([light] * 3 + [dark] * 3)
    buffer = BytesIO()
    image.save(buffer, format="PNG", compress_level=4, **({"bits": 1} if image.mode == "P" else {}))
    return buffer.getvalue()
