"""RapidOCR as a process of its own: pictures go in, what it reads and how long it took come out.

Run by its path (`eval/photos/peer.py` does), since that environment has nothing of this project's. A picture comes as a
line of JSON, {"width", "height"}, and its RGB bytes; the answer is a line of JSON, or {"error"}.
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
    for line in iter(sys.stdin.buffer.readline, b""):
        size = json.loads(line)
        shape = size["height"], size["width"], 3
        pixels = np.frombuffer(sys.stdin.buffer.read(shape[0] * shape[1] * 3), np.uint8).reshape(shape)
        begin = time.perf_counter()
        found = engine(np.ascontiguousarray(pixels[..., ::-1]))[0] or []  # it takes BGR
        answer = {
            "seconds": time.perf_counter() - begin,
            "found": [[[list(map(float, point)) for point in quad], text, float(score)] for quad, text, score in found],
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except ImportError as error:
        print(json.dumps({"error": str(error)}), flush=True)
