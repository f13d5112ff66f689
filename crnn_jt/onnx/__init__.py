"""Models as ONNX graphs; numpy and the `onnx` package, no framework."""

from crnn_jt.onnx import quantised, spotters  # noqa: F401  (layers in 8 bits and spotters register themselves)
