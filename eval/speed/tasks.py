"""The engines of the speed bench by name, and which task each can do."""

REFERENCE = "torch-eager"
"""The engine that all ratios are to."""
TORCH = (REFERENCE, "torch-channels-last", "torch-compile")
ONNX = ("onnxruntime", "openvino-f32", "openvino-bf16")
INFERENCE = ("jittor", "jittor-plain", *TORCH, *ONNX)
TRAINING = ("jittor", "jittor-plain", REFERENCE)
READING = TRAINING

ORDERS = {"inference": "infer", "training": "train", "reading": "read"}
"""Task -> the order that an engine gets for it."""
ABLE = {"inference": INFERENCE, "training": TRAINING, "reading": READING}
"""Task -> the engines that can do it."""
