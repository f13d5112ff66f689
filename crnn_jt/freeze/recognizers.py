"""Stages that are plans, frozen one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.flow import Flow
from crnn_jt.freeze.images import State, begin_network
from crnn_jt.layers import Linear, Plan
from crnn_jt.sequences import COLUMNS, Sequence


@dataclass(frozen=True)
class Parts:
    """What is frozen. Its keys in the state are `extractor.stack.…`, `refiner.stack.…`, `generator.head.…`.

    Without a head the network ends with the refined sequence.
    """

    in_channels: int
    extractor: Plan
    refiner: Plan
    head: Linear | None
    sequence: Sequence = COLUMNS


def freeze_parts(parts: Parts, state: State, library=None) -> Network:
    """Network: images (N, C, H, W) of equal width -> logits (T, N, K), or without a head the sequence (T, N, D).

    Raises NotCovered for a layer that the kernels do not know, or where there are no kernels, and KeyError for missing
    weights.
    """
    flow = begin_flow(parts.in_channels, state, library)
    flow.add_maps(parts.extractor, "extractor.stack.")
    flow.become_sequence(parts.sequence)
    flow.add_sequence(parts.refiner, "refiner.stack.")
    if parts.head is not None:
        flow.add_layer(parts.head, "generator.head.")
    return flow.finish()


def begin_flow(channels: int, state: State, library=None) -> Flow:
    """What a recogniser for pictures of so many channels is added to. Raises NotCovered where there are no kernels."""
    return Flow(begin_network(channels, library), state)
