"""Another program reads the same photographs, in turn with this project: RapidOCR on ONNX Runtime."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_tools.errors import UserError
from data_tools.photos.cutting import take_part
from eval.machine import count_cores
from eval.processes import ROOT
from ocr.documents import see
from ocr.page import Page, Piece, Word, make_lines

PEERS = ("rapidocr",)
HOW = "make .venv-rapidocr/ready, or name an interpreter that has it with CRNN_RAPIDOCR_PYTHON"


class RapidOCR:
    """RapidOCR in its own process, at its own default size. Raises UserError where it does not start or breaks off."""

    def __init__(self, threads: int):
        python = os.environ.get("CRNN_RAPIDOCR_PYTHON") or str(ROOT / ".venv-rapidocr/bin/python")
        program = str(Path(__file__).with_name("rapidocr.py"))
        self.megabytes = 0
        try:
            self._process = subprocess.Popen(
                [python, program, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise UserError(f"--peer rapidocr: {python} cannot be started ({error.strerror}); {HOW}") from error

    def read(self, image: Image.Image) -> tuple[float, Page]:
        """Seconds that a picture took, handing it over not counted, and what was read."""
        answer = self._ask(image, "page")
        self.megabytes = answer["megabytes"]
        pieces = [make_piece(np.float32(quad), text, score) for quad, text, score in answer["found"] if text.strip()]
        return answer["seconds"], Page(*image.size, make_lines(pieces))

    def overturned(self, images: Sequence[Image.Image]) -> np.ndarray:
        """The probability that each picture of a word or line stands on its head, (N,), by its classifier."""
        return np.float32([self._ask(image, "direction")["overturned"] for image in images])

    def _ask(self, image: Image.Image, what: str) -> dict[str, Any]:
        image = image.convert("RGB")
        head = {"width": image.width, "height": image.height, "what": what}
        try:
            self._process.stdin.write(json.dumps(head).encode() + b"\n")
            self._process.stdin.write(image.tobytes())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer, if any, says why
        answer = json.loads(self._process.stdout.readline() or '{"error": "it ended"}')
        if "error" in answer:
            raise UserError(f"--peer rapidocr: {answer['error']}; {HOW}")
        return answer

    def close(self) -> None:
        """Ends the process."""
        with suppress(BrokenPipeError):  # what ended by itself has been named already
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def make_piece(quad: np.ndarray, text: str, score: float) -> Piece:
    """A line as a piece of a page. Nobody says where its words are: they share its length by their characters."""
    words, places, begin = text.split(), [], 0
    for word in words:
        begin = text.index(word, begin)
        places.append((begin / len(text), (begin + len(word)) / len(text)))
        begin += len(word)
    return Piece(tuple(Word(word, score, take_part(quad, *place)) for word, place in zip(words, places)), quad, quad)


class Race:
    """A reader that has a peer read each photograph too, before or after it in turn; both are timed."""

    def __init__(self, own: Any, peer: RapidOCR):
        self.own, self.peer = own, peer
        self.pages: list[Page] = []
        self.seconds: list[tuple[float, float]] = []

    @property
    def recognizer(self) -> Any:
        """Of the reader itself; lexicons are prepared for it."""
        return self.own.recognizer

    def read(self, picture: Any, lexicon: Any = None) -> Page:
        """What the reader itself reads."""
        if lexicon is not None:
            return self.own.read(picture, lexicon)
        return self._take_turns(picture, self.own.read)

    def find(self, picture: Any) -> Page:
        """What the reader itself finds; both read all the same, which is what is timed."""
        self._take_turns(picture, self.own.read)
        return self.own.find(picture)

    def take(self) -> tuple[list[Page], list[tuple[float, float]]]:
        """The peer's pages, and seconds (own, peer), since this was last asked."""
        taken = self.pages, self.seconds
        self.pages, self.seconds = [], []
        return taken

    def _take_turns(self, picture: Any, read: Callable[[Any], Page]) -> Page:
        image = see(picture)
        first = len(self.pages) % 2 == 0
        theirs = None if first else self.peer.read(image)
        begin = time.perf_counter()
        page = read(image)
        own = time.perf_counter() - begin
        seconds, other = theirs or self.peer.read(image)
        self.pages.append(other)
        self.seconds.append((own, seconds))
        return page


def start(name: str | None, reader: Any) -> Any:
    """The reader, racing against the peer of that name if there is one. Raises UserError."""
    if name is None:
        return reader
    if name not in PEERS:
        raise UserError(f"--peer {name}: it takes {' or '.join(PEERS)}")
    return Race(reader, RapidOCR(int(os.environ.get("OMP_NUM_THREADS") or count_cores())))


def stop(reader: Any) -> None:
    """Ends a peer, if there is one."""
    if isinstance(reader, Race):
        reader.peer.close()
