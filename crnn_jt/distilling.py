"""What a teacher says of pictures in a form that a student can learn from: its likeliest texts, or its chances.

Sequence-level distillation (Kim and Rush, "Sequence-level knowledge distillation", EMNLP 2016) as DLD has it (Chen et
al., "Dynamic low-resolution distillation for cost-efficient end-to-end text spotting", ECCV 2022). What a generator
offers for it is registered here; one that is not registered is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.decoding.beams import Hypothesis, StepBeam, search_frames, search_places
from crnn_jt.decoding.ctc import feasible, pad
from crnn_jt.generators.base import Generator
from crnn_jt.generators.ctc import CTC
from crnn_jt.generators.decoder import Decoder
from crnn_jt.generators.parallel import Parallel
from crnn_jt.places import pick_targets
from data_tools.errors import UserError

WAYS = ("sequences", "logits")
"""By what a student learns: the teacher's likeliest texts, or its chances step by step."""


@singledispatch
def search(generator: Generator, sequence, lengths: np.ndarray, count: int) -> list[list[Hypothesis]]:
    """The `count` likeliest texts of each picture, best first, of a refined sequence (T, N, D)."""
    raise UserError(f"distillation: the generator {type(generator).__name__} has no beam; take one by sequences or CTC")


@singledispatch
def force(generator: Generator, sequence, lengths: np.ndarray, targets: np.ndarray):
    """Logits (T', N, K) where the symbols before are those of `targets` (N, S), for generators that ask for them."""
    raise UserError(f"distillation: the generator {type(generator).__name__} cannot be told what to write")


def check_generator(generator: Generator) -> None:
    """Raises UserError, naming the generator, where it is not registered."""
    for function in (search, force):
        if function.dispatch(type(generator)) is function.dispatch(object):
            function(generator, *(None,) * 3)


def log_likelihood(generator: Generator, sequence, lengths: np.ndarray, targets: np.ndarray, sizes: np.ndarray):
    """log p(targets[n] | picture n), (N,), with its gradients; targets (N, S) padded with 0, of `sizes` (N,)."""
    logits = force(generator, sequence, lengths, targets)
    if generator.framewise:
        return -ops.ctc_loss(logits, targets, lengths, sizes)
    return pick_targets(ops.log_softmax(logits, 2), targets, sizes).sum(0)


@search.register
def _(generator: CTC, sequence, lengths: np.ndarray, count: int) -> list[list[Hypothesis]]:
    return search_frames(ops.numpy(ops.log_softmax(generator(sequence, lengths), 2)), lengths, count)


@search.register
def _(generator: Parallel, sequence, lengths: np.ndarray, count: int) -> list[list[Hypothesis]]:
    return search_places(ops.numpy(ops.log_softmax(generator(sequence, lengths), 2)), count)


@search.register
def _(generator: Decoder, sequence, lengths: np.ndarray, count: int) -> list[list[Hypothesis]]:
    beam = StepBeam(sequence.shape[1], count, generator.classes, generator.max_length)
    with backend.no_grad():
        memory, state = generator.begin(ops.concat([sequence] * count, 1), np.tile(lengths, count))
        while not beam.is_over:
            logits, state = generator.step(memory, state, generator.embedding(ops.array(beam.symbols)))
            rows = beam.advance(ops.numpy(ops.log_softmax(logits, 1)))
            state = tuple(ops.array(ops.numpy(part)[rows]) for part in state)
    return beam.ended


@force.register(CTC)
@force.register(Parallel)
def _(generator, sequence, lengths: np.ndarray, targets: np.ndarray):
    return generator(sequence, lengths)


@force.register
def _(generator: Decoder, sequence, lengths: np.ndarray, targets: np.ndarray):
    return generator.force(sequence, lengths, targets)


Writable = Callable[[int, tuple[int, ...]], bool]
"""Whether the student can write a text on picture n."""


def share_out(
    told: Sequence[Sequence[Hypothesis]], labels: Sequence[tuple[int, ...]], count: int, can_write: Writable
) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """`count` texts for each of N pictures, text k of picture n at k · N + n, and their shares (count, N), which sum to
    1 for a picture: those that were told and can be written, by their probabilities; where there is none, the label.
    """
    texts, shares = [[label] * count for label in labels], np.zeros((count, len(told)), np.float32)
    shares[0] = 1.0
    for n, own in enumerate(told):
        kept = [pair for pair in own[:count] if can_write(n, pair[0])]
        if kept:
            powers = np.exp(np.array([score for _, score in kept]) - kept[0][1])
            shares[: len(kept), n] = powers / powers.sum()
            texts[n][: len(kept)] = [text for text, _ in kept]
    return [texts[n][k] for k in range(count) for n in range(len(told))], shares


def learn(
    by: str,
    student: tuple,
    teacher: tuple,
    targets: np.ndarray,
    sizes: np.ndarray,
    shares: np.ndarray,
    beams: int,
    longest: int,
):
    """The loss of what the teacher says, one of `WAYS`; both are (generator, refined sequence, lengths).

    Labels (N, S) and their `sizes` stand in for texts that the student cannot write: those of more than `longest`
    symbols, or with too few steps. Each picture counts by its share, of `shares` (N,).
    """
    if by == "logits":
        return imitate(student, teacher, targets, sizes, shares)
    generator, _, lengths = student

    def can_write(number: int, text: tuple[int, ...]) -> bool:
        fits = 0 < len(text) <= longest
        return fits and (not generator.framewise or feasible(text, int(lengths[number])))

    labels = [tuple(target[:size].tolist()) for target, size in zip(targets, sizes)]
    texts, parts = share_out(search(*teacher, beams), labels, beams, can_write)
    return follow(*student, texts, parts * shares)


def follow(generator: Generator, sequence, lengths: np.ndarray, texts: list, shares: np.ndarray):
    """-log p of `texts` (those of `share_out`), the sum of all times their `shares` (count, N)."""
    count = len(shares)
    several, tiled = ops.concat([sequence] * count, 1) if count > 1 else sequence, np.tile(lengths, count)
    return -(log_likelihood(generator, several, tiled, *pad(texts)) * ops.array(shares.ravel())).sum()


def imitate(student: tuple, teacher: tuple, targets: np.ndarray, sizes: np.ndarray, shares: np.ndarray):
    """The Kullback-Leibler divergence of the student's chances from the teacher's, each (generator, sequence, lengths):
    the mean over a picture's steps, or the places of its label (N, S) and end, and the sum over pictures times `shares`
    (N,).
    """
    generator, sequence, lengths = student
    with backend.no_grad():
        theirs = ops.log_softmax(force(*teacher, targets), 2)
    mine = ops.log_softmax(force(generator, sequence, lengths, targets), 2)
    steps = min(mine.shape[0], theirs.shape[0])
    away = (ops.exp(theirs[:steps]) * (theirs[:steps] - mine[:steps])).sum(2)  # (T', N)
    own = lengths if generator.framewise else np.asarray(sizes) + 1
    return (away * ops.array(spread(steps, own, shares))).sum()


def distance(mine, theirs, lengths: np.ndarray, shares: np.ndarray):
    """The mean square of the difference of two sequences (T, N, D) over a picture's own steps and all features, summed
    over pictures times `shares` (N,).
    """
    off = mine - theirs
    return ((off * off).mean(2) * ops.array(spread(off.shape[0], lengths, shares))).sum()


def spread(steps: int, sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(T, N): each picture's share over its own first steps, `sizes` (N,)."""
    inside = np.arange(steps)[:, None] < np.asarray(sizes)
    return (inside / np.maximum(inside.sum(0), 1) * shares).astype(np.float32)
