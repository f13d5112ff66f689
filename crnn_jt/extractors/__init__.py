"""Feature extraction: images (N, C, H, W) -> feature maps, which become the steps of a sequence (`sequences`)."""

from crnn_jt.extractors import (
    autostr,
    cells,
    dense,
    light,
    mobilenet,
    plan,
    region,
    resnet,
    resnet45,
    resnet50,
    resnet_vd,
    shufflenet,
    staff,
    vgg,
)

__all__ = [
    "autostr",
    "cells",
    "dense",
    "light",
    "mobilenet",
    "plan",
    "region",
    "resnet",
    "resnet45",
    "resnet50",
    "resnet_vd",
    "shufflenet",
    "staff",
    "vgg",
]
