"""Models as ONNX graphs; numpy and the `onnx` package, no framework."""

from crnn_jt.onnx import quantised  # noqa: F401  (layers in 8 bits register themselves)
