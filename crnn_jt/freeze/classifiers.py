"""Classifiers of whole pictures: an extractor, the mean of its map, a product."""

from __future__ import annotations

from crnn_jt.backend.fast.network import Network
from crnn_jt.freeze.images import Images, State, begin_network


def freeze_classifier(model, state: State) -> Network:
    """The network of a model with `extractor`, the `plan` of its mean and a `head`, from pictures to logits
    (N, K, 1, 1). Raises NotCovered.
    """
    images = Images(begin_network(model.spec.image.channels), state)
    value = images.emit_plan(model.extractor.layers(), 0, "extractor.stack.")
    value = images.emit_plan(model.plan, value, "pool.stack.")
    images.emit_plan(model.head.plan, value, "head.")
    images.network.end_maps("maps")
    return images.network
