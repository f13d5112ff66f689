"""Models by kind: a spec in, a module out."""

from crnn_jt.models import detector, direction, recognizer, selector, spotter  # noqa: F401  (they register themselves)
from crnn_jt.models.base import MODELS, Model, build, construct, restore
from crnn_jt.models.detector import Detector
from crnn_jt.models.direction import Direction
from crnn_jt.models.recognizer import Recognizer, transform_of
from crnn_jt.models.selector import Selector
from crnn_jt.models.spotter import Spotter

__all__ = [
    "MODELS",
    "Detector",
    "Direction",
    "Model",
    "Recognizer",
    "Selector",
    "Spotter",
    "build",
    "construct",
    "restore",
    "transform_of",
]
