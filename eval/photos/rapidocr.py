"""RapidOCR as a process of its own: pictures go in, what it reads and how long it took come out.

Run by its path (`eval/photos/peer.py` does), since that environment has nothing of this project's. A picture comes as a
line of JSON, {"width", "height", "what"}, and its RGB bytes, where "what" is all of a "page", or the "direction" of a
single line; the answer is a line of JSON, or {"error"}.
"""

from __future__ import annotations

import json
import resource
import sys
import time


def main(threads: int) -> None:
    """Answers until there are no more pictures."""
    import numpy as np
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)
    answers = {"page": read, "direction": tell_direction}
    for line in iter(sys.stdin.buffer.readline, b""):
        head = json.loads(line)
        shape = head["height"], head["width"], 3
        pixels = np.frombuffer(sys.stdin.buffer.read(shape[0] * shape[1] * 3), np.uint8).reshape(shape)
        bgr = np.ascontiguousarray(pixels[..., ::-1])
        print(json.dumps(answers[head["what"]](engine, bgr)), flush=True)


def read(engine, bgr) -> dict:
    """What stands where in a photograph, how long that took, and the most memory so far."""
    begin = time.perf_counter()
    found = engine(bgr)[0] or []
    return {
        "seconds": time.perf_counter() - begin,
        "found": [[[list(map(float, point)) for point in quad], text, float(score)] for quad, text, score in found],
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def tell_direction(engine, bgr) -> dict:
    """The probability that a line stands on its head."""
    [[label, score]] = engine.text_cls([bgr])[1]
    return {"overturned": float(score) if label == "180" else 1 - float(score)}


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except ImportError as error:
        print(json.dumps({"error": str(error)}), flush=True)
