"""Sequence recognition in images: feature extraction, feature refinement, sequence generation, on Jittor.

>>> import crnn_jt
>>> crnn_jt.load("crnn-light").read(["sign.jpg"])[0].text
"""

__version__ = "0.2.0.dev0"


def __getattr__(name: str):
    """`load`, `SequenceReader` and `Prediction`, imported when they are first used."""
    if name in ("load", "SequenceReader", "Prediction"):
        from crnn_jt import reading

        return getattr(reading, name)
    raise AttributeError(f"module 'crnn_jt' has no attribute {name!r}")
