"""Language alone: a recogniser's corrector learns to spell, without pictures."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import eq, ne
from typing import Any

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.decoding.ctc import pad
from crnn_jt.models.recognizer import Recognizer
from crnn_jt.places import END, pick_targets, read_places
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS, Task
from data_tools.loader import Loader, TextBatch, Texts
from data_tools.words.spelling import misspell


@dataclass(frozen=True)
class Misread:
    """Texts as vision may have seen them, chances float32 (T, N, K) by place, and what they should be: targets (N, S)
    padded with 0, of `sizes` (N,) symbols.
    """

    chances: np.ndarray
    targets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@TASKS.register("language")
class Language(Task):
    """Trains the corrector of a recogniser on texts, as ABINet's language model is (Fang et al., CVPR 2021): words with
    up to three faults, each place in doubt by up to `doubt`. Vision, and what weighs one against the other, stay as
    they are.
    """

    unusable = "the model cannot write a label so long"

    def __init__(self, model: Recognizer, config: Config, doubt: float = 0.1):
        if model.corrector is None:
            raise ValueError(f"{model.spec.name} has no corrector")
        if not 0 <= doubt < 1:
            raise ValueError(f"doubt {doubt}: it takes 0 or more, below 1")
        super().__init__(model, config)
        self.doubt, self._step = doubt, 0

    def groups(self) -> dict[str, dict[str, Any]]:
        """The corrector's parameters but those of the fusion."""
        left_alone = tuple(f"corrector.{piece}." for piece in self.model.corrector.fusion)
        named = backend.parameters(self.model).items()
        return {
            "weights": {
                name: value
                for name, value in named
                if name.startswith("corrector.") and not name.startswith(left_alone)
            }
        }

    def accept(self, text: str) -> str | None:
        """The tokenizer's policy."""
        return self.model.tokenizer.accept(text)

    def collate(self, training: bool) -> Texts:
        """Texts; what is wrong with them is drawn when they are looked at."""
        return Texts()

    def before_step(self, step: int) -> None:
        """Faults follow from the step and the sample, whichever rank has it."""
        self._step = step

    def usable(self, batch: TextBatch) -> tuple[Misread, int]:
        """The texts that are short enough."""
        encoded = self._encode(batch)
        spoiled = self._spoil(encoded, self._step)
        ends = (spoiled.chances.argmax(2) == END).argmax(0)  # (N,)
        places = max(int(ends.max(initial=1)), spoiled.targets.shape[1]) + 1  # nothing is learnt of those that follow
        return replace(spoiled, chances=spoiled.chances[:places]), len(batch) - len(encoded)

    def stand_in(self, batch: TextBatch) -> Misread:
        """A text of one symbol."""
        return self._spoil([("", (1,))], 0)

    def losses(self, inputs: Misread) -> dict[str, Any]:
        """-log p of the symbols and the end of a text put right, the mean of its places, and of all texts."""
        logits = self.model.corrector.correct(ops.array(inputs.chances))
        picked = pick_targets(ops.log_softmax(logits, 2), inputs.targets, inputs.sizes)
        shares = (1 / (np.asarray(inputs.sizes) + 1) / len(inputs)).astype(np.float32)
        return {"language": -(picked * ops.array(shares[None])).sum()}

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """The share of texts that come out right, with faults (`accuracy`) and without (`kept`), in percent."""
        right, kept, n, examples = 0, 0, 0, []
        for batch in loader.batches():
            encoded = self._encode(batch)
            if not encoded:
                continue
            texts = [text for _, text in encoded]
            told, again = self._read(self._spoil(encoded, 0).chances), self._read(self._see(texts))
            n, right, kept = n + len(texts), right + sum(map(eq, told, texts)), kept + sum(map(eq, again, texts))
            wrong = [pair for pair in zip(texts, told) if ne(*pair)]
            examples += [" -> ".join(map(self.model.tokenizer.decode, pair)) for pair in wrong]
        return {"n": n, "accuracy": 100 * right / max(n, 1), "kept": 100 * kept / max(n, 1)}, examples

    def _encode(self, batch: TextBatch) -> list[tuple[str, tuple[int, ...]]]:
        """The keys and symbols of the texts that are short enough."""
        encoded = [(key, tuple(self.model.tokenizer.encode(text))) for key, text in zip(batch.keys, batch.texts)]
        return [(key, text) for key, text in encoded if 0 < len(text) <= self.model.spec.labels.max_length]

    def _spoil(self, encoded: Sequence[tuple[str, tuple[int, ...]]], step: int) -> Misread:
        """Each text with the faults and doubts of its key at a step (0: in validation)."""
        classes, longest = self.model.tokenizer.classes, self.model.spec.labels.max_length
        seed, texts = self.config.train.seed, [text for _, text in encoded]
        rngs = [np.random.default_rng((seed, step, zlib.crc32(key.encode()))) for key, _ in encoded]
        chances = self._see([misspell(text, classes, rng)[:longest] for text, rng in zip(texts, rngs)])
        for n, rng in enumerate(rngs):
            doubt = self.doubt * rng.random((len(chances), 1), np.float32)
            noise = rng.random((len(chances), classes), np.float32)
            chances[:, n] = chances[:, n] * (1 - doubt) + doubt * noise / noise.sum(1, keepdims=True)
        return Misread(chances, *pad(texts))

    def _see(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """The chances of vision that has no doubts, (T, N, K); all places after the text are its end."""
        labels = self.model.spec.labels
        seen = np.full((labels.max_length + 1, len(texts)), END)
        for n, text in enumerate(texts):
            seen[: len(text), n] = text
        return np.eye(self.model.tokenizer.classes, dtype=np.float32)[seen]

    def _read(self, chances: np.ndarray) -> list[tuple[int, ...]]:
        with backend.no_grad():
            log_probs = ops.numpy(ops.log_softmax(self.model.corrector.correct(ops.array(chances)), 2))
        return [reading.indices for reading in read_places(log_probs, self.model.spec.labels.max_length)]
