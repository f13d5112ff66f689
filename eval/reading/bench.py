"""Ways of reading word images against each other: the same rendered words as files, LMDB, MJSynth, and rendered anew.

All stored forms hold the same JPEG bytes, so that only the way to them differs. A pass is what training does:
shuffled, decoded, resized to 32 x 100, in batches of float32.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_tools.folder_writer import write_folder
from data_tools.lmdb_writer import write_lmdb
from data_tools.loader import Loader, text_loader
from data_tools.readers import open_reader
from data_tools.records import jpeg
from data_tools.sample import Reader
from data_tools.transforms import ResizeFixed
from data_tools.words import RenderedWords

BATCH = 64
_PER_FOLDER = 500  # pictures of a folder of the MJSynth form


@dataclass(frozen=True)
class Row:
    """Samples a second of one way with one number of workers: median, least and greatest of the passes.

    `cold` is the first pass after the files were put out of memory. `cpu_us` are processor microseconds a sample where
    this process alone does the work (0 workers), which other work on the machine stretches less than the clock.
    """

    way: str
    workers: int
    warm: float
    least: float
    greatest: float
    cold: float | None
    cpu_us: float | None
    open_s: float


def prepare(folder: Path, count: int, seed: int, workers: int) -> dict[str, Callable[[], Reader]]:
    """Renders `count` words and stores them below `folder` in every form; what opens each, by name."""
    lmdb, files, mjsynth = folder / "words.lmdb", folder / "files", folder / "mjsynth"
    write_lmdb(RenderedWords(seed, count), lmdb, workers=workers, encode=jpeg)
    stored = open_reader(lmdb)
    write_folder(stored, files)
    write_mjsynth(stored, mjsynth)
    return {
        "LMDB": lambda: open_reader(lmdb),
        "files (gt.txt)": lambda: open_reader(files),
        "MJSynth annotations": lambda: open_reader(mjsynth / "annotation_train.txt"),
        "rendered": lambda: RenderedWords(seed, count),
    }


def write_mjsynth(reader: Reader, folder: Path) -> None:
    """Stores a set as MJSynth is laid out: `./FOLDER/1/NUMBER_WORD_INDEX.jpg INDEX` and lexicon.txt."""
    words = list(dict.fromkeys(reader.text(index).lower() for index in range(len(reader))))
    places = {word: place for place, word in enumerate(words)}
    lines = []
    for index in range(len(reader)):
        stored = reader.stored(index)
        place = places[stored.text.lower()]
        name = f"./{index // _PER_FOLDER}/1/{index}_{''.join(filter(str.isalnum, stored.text))}_{place}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(stored.content)
        lines.append(f"{name} {place}\n")
    (folder / "annotation_train.txt").write_text("".join(lines), "utf-8")
    (folder / "lexicon.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")


def measure(ways: dict[str, Callable[[], Reader]], folder: Path, workers: Iterable[int], passes: int) -> Iterator[Row]:
    """Times every way with every number of workers; passes of the ways alternate, so that a busy spell hits all."""
    for number in workers:
        cold, timed, opened, loaders = {}, {way: [] for way in ways}, {}, {}
        for way, make in ways.items():
            begin = time.perf_counter()
            reader = make()
            opened[way] = time.perf_counter() - begin
            loaders[way] = text_loader(reader, ResizeFixed(32, 100), BATCH, shuffle=True, workers=number)
            next(loaders[way].batches())  # starts the workers, opens fonts and files
        for way, loader in loaders.items():
            if way != "rendered":
                drop_from_memory(folder)
                cold[way] = _run_pass(loader, 0)[0]
        for turn in range(passes):
            for way, loader in loaders.items():
                timed[way].append(_run_pass(loader, turn + 1))
        for way, loader in loaders.items():
            loader.close()
            rates, costs = zip(*timed[way])
            cost = None if number else 1e6 * statistics.median(costs)
            median = statistics.median(rates)
            yield Row(way, number, median, min(rates), max(rates), cold.get(way), cost, opened[way])


def _run_pass(loader: Loader, epoch: int) -> tuple[float, float]:
    """Samples a second by the clock, and processor seconds of this process a sample, of one epoch."""
    begin, busy, seen = time.perf_counter(), time.process_time(), 0
    for batch in loader.batches(epoch):
        seen += len(batch.texts)
    return seen / (time.perf_counter() - begin), (time.process_time() - busy) / seen


def drop_from_memory(folder: Path) -> None:
    """Asks the system to drop the pages of all files below `folder`, so that the next pass reads from the disk."""
    os.sync()
    for here, _, files in os.walk(folder):
        for name in files:
            descriptor = os.open(os.path.join(here, name), os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
