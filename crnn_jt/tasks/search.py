"""Searching for the operations of a backbone while it learns: ProxylessNAS's binary gates (Cai et al., ICLR 2019,
section 3) under a cost, as AutoSTR has them (Zhang et al., ECCV 2020, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from crnn_jt.backend import ops, ranks
from crnn_jt.models.recognizer import Recognizer
from crnn_jt.optimizers import Turn
from crnn_jt.search.latency import Table, prices_in
from crnn_jt.search.supernet import STACK, input_shape, prices_of
from crnn_jt.sources import render
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS
from crnn_jt.tasks.recognition import Lines, Recognition
from crnn_jt.training import endless
from data_tools.errors import UserError
from data_tools.loader import Batch, Loader
from data_tools.readers import open_readers

SEARCH_SEED = 2_000_003
"""Added to a run's seed for the words that the gates learn from."""


@TASKS.register("search")
class Search(Recognition):
    """Trains a recogniser whose extractor has choices, and what is chosen.

    For `warm_up` steps the weights learn under candidates drawn alike; from then on under candidates drawn by their
    shares, the softmax of the alphas, but every `every`-th step teaches the alphas instead, from other data: the sets
    `data`, or else words rendered from another seed with `recipe` changed (other fonts). One candidate of each choice
    is computed at a step, two at a step of the alphas, whose losses are multiplied by (ln E / ln G)^`beta`: E the
    extractor's expected multiply-adds, G the `goal` in millions; or, given a table of `latencies`, microseconds both.
    What a step draws follows from the seed and its number. Raises UserError where E or G could be e or less: the
    logarithms would change what they reward.
    """

    def __init__(
        self,
        model: Recognizer,
        config: Config,
        warm_up: int = 1000,
        every: int = 5,
        beta: float = 0.6,
        goal: float = 450.0,
        data: tuple[str, ...] = (),
        recipe: dict[str, Any] = {},  # noqa: B006 - a spec's values, never changed
        latencies: Table | None = None,
    ):
        super().__init__(model, config)
        if every < 2:
            raise ValueError(f"every {every}: it takes 2 or more, the weights must learn between")
        plan = model.extractor.layers()
        self.prices = prices_in(latencies, plan) if latencies else prices_of(plan, input_shape(model))
        least, unit = self.prices.cheapest() / self.prices.size, self.prices.unit
        if min(goal, least) * self.prices.size <= math.e:
            raise UserError(f"search: goal {goal:g} {unit}, {least:g} at least: each must be more than e in all")
        self.warm_up, self.every, self.beta, self.goal = warm_up, every, beta, goal
        self.data, self.recipe = data, recipe
        self.choices = {place: getattr(model.extractor.stack, str(place)) for place in self.prices.candidates}
        self._groups = self._split()
        self._turn: Turn | None = None
        self._lessons: tuple[int, Iterator[Batch]] | None = None  # the number of the next batch for the alphas, and all

    def _split(self) -> dict[str, dict[str, Any]]:
        alphas = {f"{STACK}{place}.alphas" for place in self.choices}
        whole = super().groups()["weights"]
        return {
            "weights": {name: value for name, value in whole.items() if name not in alphas},
            "alphas": {name: value for name, value in whole.items() if name in alphas},
        }

    def groups(self) -> dict[str, dict[str, Any]]:
        """Weights, and the alphas of the choices."""
        return self._groups

    def lesson(self, step: int) -> int:
        """Which step of their own the alphas make at a step of the run, from 1; 0: it teaches the weights."""
        number, rest = divmod(step - self.warm_up, self.every)
        return number if step > self.warm_up and not rest else 0

    def before_step(self, step: int) -> None:
        """Draws the candidates of the step."""
        rng, number = np.random.default_rng((self.config.train.seed, step)), self.lesson(step)
        for choice in self.choices.values():
            shares = _shares(ops.numpy(choice.alphas))
            if step <= self.warm_up:
                shares = np.full(len(shares), 1 / len(shares))
            choice.drawn = _draw(shares, 2 if number else 1, rng)
        names = self._groups["alphas"] if number else [name for name in self._groups["weights"] if self._runs(name)]
        self._turn = Turn(frozenset(names), {"alphas": number})

    def _runs(self, name: str) -> bool:
        """Whether a weight is of the candidates drawn, or of no choice."""
        if not name.startswith(STACK):
            return True
        place, candidate, *_ = name[len(STACK) :].split(".")
        return int(place) not in self.choices or int(candidate) in self.choices[int(place)].drawn

    def turn(self) -> Turn | None:
        """The weights of the candidates drawn, or the alphas."""
        return self._turn

    @property
    def _teaches_alphas(self) -> bool:
        return self._turn is not None and self._turn.counts["alphas"] > 0

    def usable(self, batch: Batch) -> tuple[Lines, int]:
        """Of the batch, or at a step of the alphas of their own data."""
        return super().usable(self._other_batch(self._turn.counts["alphas"]) if self._teaches_alphas else batch)

    def _other_batch(self, number: int) -> Batch:
        """Batch `number`, from 1, of those for the alphas."""
        following, batches = self._lessons or (0, iter(()))
        if following != number:
            batches = self._other_batches(number - 1)
        self._lessons = number + 1, batches
        return next(batches)

    def _other_batches(self, start: int) -> Iterator[Batch]:
        spec, sets = self.config.train, list(self.data)
        reader = open_readers(sets) if sets else self._rendered()
        loader = Loader(
            reader,
            self.collate(False),
            spec.batch_size,
            accept=self.accept,
            seed=spec.seed + SEARCH_SEED,
            shuffle=bool(sets),
            rank=ranks.rank,
            ranks=ranks.count,
            drop_last=True,
        )
        while True:
            epoch, inside = divmod(start, loader.batches_per_epoch)
            for batch in loader.batches(epoch, inside):
                start += 1
                yield batch

    def _rendered(self):
        spec = self.config.train
        return render(self.config.data, self.model.spec, spec.seed + SEARCH_SEED, endless(spec), **self.recipe)

    def losses(self, inputs: Lines) -> dict[str, Any]:
        """Those of recognition; at a step of the alphas weighed by the cost."""
        found = super().losses(inputs)
        if not (self._teaches_alphas and self.beta):
            return found
        weight = self.cost_factor()
        return {name: value * weight for name, value in found.items()}

    def cost_factor(self):
        """(ln E / ln G)^beta, a scalar that the alphas have a part in."""
        size = self.prices.size
        expected = self.prices.fixed / size
        for place, costs in self.prices.candidates.items():
            shares = ops.softmax(self.choices[place].alphas, 0)
            expected = expected + (shares * ops.array((costs / size).astype(np.float32))).sum()
        ratio = (ops.log(expected) + math.log(size)) / (math.log(self.goal) + math.log(size))
        return ops.exp(ops.log(ratio) * self.beta)

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """Scores of the network of the candidates with the largest alphas, and what it costs by its unit's name."""
        for choice in self.choices.values():
            choice.drawn = None
        scores, examples = super().evaluate(loader)
        chosen = {place: int(ops.numpy(choice.alphas).argmax()) for place, choice in self.choices.items()}
        return {**scores, self.prices.unit: self.prices.of(chosen) / self.prices.size}, examples


def _shares(alphas: np.ndarray) -> np.ndarray:
    powers = np.exp(alphas.astype(np.float64) - alphas.max())
    return powers / powers.sum()


def _draw(shares: np.ndarray, count: int, rng: np.random.Generator) -> tuple[int, ...]:
    """`count` candidates by their shares; of two first the one whose value counts, drawn by their shares again."""
    drawn = rng.choice(len(shares), min(count, len(shares)), replace=False, p=shares)
    if len(drawn) == 2:
        between = shares[drawn] / shares[drawn].sum()
        drawn = drawn if rng.random() < between[0] else drawn[::-1]
    return tuple(int(number) for number in drawn)
