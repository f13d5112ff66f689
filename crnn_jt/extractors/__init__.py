"""Feature extraction: images (N, C, H, W) -> feature maps whose columns (or channels) become the steps of a
sequence.
"""

from crnn_jt.extractors import light, resnet, staff, vgg

__all__ = ["light", "resnet", "staff", "vgg"]
