"""Learning from pictures without labels: what the model is certain of becomes the label (ABINet's ensemble
self-training: Fang et al., CVPR 2021, section 3.4, algorithm 1).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from crnn_jt.backend import ranks
from crnn_jt.iterations import iterate, weigh
from crnn_jt.models.recognizer import Recognizer, transform_of
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS
from crnn_jt.tasks.recognition import Lines, Recognition
from data_tools.loader import Batch, Loader, TextLines
from data_tools.readers.unlabelled import Numbered, Relabelled, open_unlabelled
from data_tools.sample import Reader

logger = logging.getLogger(__name__)
PSEUDO_SEED = 3_000_017
"""Added to a run's seed for the order of pseudo-labelled pictures."""
LABELS = "labels"


@TASKS.register("self_training")
class SelfTraining(Recognition):
    """Trains a recogniser on labelled lines and on pictures without labels, a batch of each in turn.

    Every `every` steps, and before the first, all pictures of `unlabelled` are read. Those whose certainty
    (`iterations.weigh`) reaches `certainty` keep their reading as a label until the next time; where they do not fill
    a batch, labelled ones take their turns. What was read is kept in the checkpoint, so that a resumed run is the run
    that was never stopped.
    """

    def __init__(
        self,
        model: Recognizer,
        config: Config,
        unlabelled: tuple[str, ...],
        certainty: float = 0.9,
        every: int = 2000,
        kinship: float = 0.0,
    ):
        super().__init__(model, config, kinship)
        if not unlabelled:
            raise ValueError("unlabelled: name pictures to learn from")
        if not 0 <= certainty <= 1:
            raise ValueError(f"certainty {certainty}: it takes 0 to 1")
        if every < 2:
            raise ValueError(f"every {every}: it takes 2 or more, a step for labelled pictures and one for others")
        self.certainty, self.every = certainty, every
        self.pictures = open_unlabelled(unlabelled)
        self._all = self._load(Numbered(self.pictures), False, max_corrupt=1.0)
        self._labels: np.ndarray | None = None  # (pictures, longest) indices of symbols, 0 where there is none
        # of the step: how often all were read before it, and the number of its pseudo-labelled batch (0: it has none)
        self._drawing = self._turn_number = 0
        self._batches: tuple[int, Iterator[Batch]] | None = None  # the next one's number, and all of them

    def before_step(self, step: int) -> None:
        """Reads all pictures where that is due, and says whose turn it is: a labelled batch's comes first."""
        self._drawing, inside = divmod(step - 1, self.every)
        if not inside:
            self._label(step)
        enough = self._labels is not None and self._chosen().size >= self.config.train.batch_size
        self._turn_number = (inside + 1) // 2 if inside % 2 and enough else 0

    def usable(self, batch: Batch) -> tuple[Lines, int]:
        """Of the batch, or of the next one of pseudo-labelled pictures."""
        return super().usable(self._next_batch() if self._turn_number else batch)

    def memory(self) -> dict[str, np.ndarray]:
        """What the pictures were read as."""
        return {} if self._labels is None else {LABELS: self._labels}

    def recall(self, memory: dict[str, np.ndarray]) -> None:
        """As it was; pictures that have come or gone since are read anew at the next time."""
        labels = memory.get(LABELS)
        if labels is not None and len(labels) == len(self.pictures):
            self._labels = labels
        elif labels is not None:
            logger.warning("%s", f"unlabelled: {len(self.pictures):,} pictures, there were {len(labels):,}; read anew")

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """Scores of recognition; `certain` is the share of the pictures that have a pseudo-label, in percent."""
        scores, examples = super().evaluate(loader)
        certain = {} if self._labels is None else {"certain": 100 * self._chosen().size / len(self.pictures)}
        return {**scores, **certain}, examples

    @property
    def _longest(self) -> int:
        return self.model.spec.labels.max_length

    def _chosen(self) -> np.ndarray:
        """The places of the pictures that have a pseudo-label."""
        return np.flatnonzero(self._labels[:, 0])

    def _label(self, step: int) -> None:
        """Reads every picture with the weights of this step."""
        labels, read = np.zeros((len(self.pictures), self._longest), np.float32), 0
        self.model.eval()
        options = {"unit": "batch", "desc": "unlabelled", "leave": False, "disable": None if not ranks.rank else True}
        for batch in tqdm(self._all.batches(), total=self._all.batches_per_epoch, **options):
            if not batch.keys:
                continue
            found = weigh(self.model.generator, *iterate(self.model, batch.images, batch.widths))
            for place, (reading, certainty) in zip(map(int, batch.texts), found):
                if certainty >= self.certainty and len(reading.indices) <= self._longest:
                    labels[place, : len(reading.indices)] = reading.indices
            read += len(batch)
        self.model.train()
        self._labels, self._batches = labels, None
        broken = len(self.pictures) - read
        said = f"step {step}: certain of {self._chosen().size:,} of {read:,} unlabelled pictures"
        logger.info("%s", said + (f"; {broken:,} cannot be read" if broken else ""))

    def _next_batch(self) -> Batch:
        """Batch number `_turn_number`, from 1, of this drawing's."""
        following, batches = self._batches or (0, iter(()))
        if following != self._turn_number:
            batches = self._draw(self._turn_number - 1)
        self._batches = self._turn_number + 1, batches
        return next(batches)

    def _draw(self, start: int) -> Iterator[Batch]:
        """Batches of pseudo-labelled pictures from number `start` on, pass after pass."""
        places = self._chosen()
        texts = [self.model.tokenizer.decode([int(k) for k in self._labels[place] if k]) for place in places]
        spec, share = self.config.train, {"rank": ranks.rank, "ranks": ranks.count}
        reader = Relabelled(self.pictures, tuple(places.tolist()), tuple(texts))
        seed = spec.seed + PSEUDO_SEED + self._drawing
        loader = self._load(reader, True, seed=seed, shuffle=True, drop_last=True, **share)
        try:
            while True:
                number, inside = divmod(start, loader.batches_per_epoch)
                for batch in loader.batches(number, inside):
                    start += 1
                    yield batch
        finally:
            loader.close()

    def _load(self, reader: Reader, training: bool, **options) -> Loader:
        spec = self.config.train
        collate = TextLines(transform_of(self.model.spec), self.augment(training, rendered=False))
        window = spec.window if training and self.bucketed else 1
        return Loader(reader, collate, spec.batch_size, workers=spec.workers, window=window, **options)
