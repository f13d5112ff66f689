"""Memory is what sizes a machine for others: it must be this process's own."""

import subprocess
import sys

from eval.machine import read_peak_memory


def test_the_peak_is_in_megabytes_and_not_the_parents():
    """getrusage reports what a large parent had before it started the process."""
    held = bytearray(2**28)  # 256 MB
    code = "from eval.machine import read_peak_memory; print(read_peak_memory())"
    child = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert len(held) == 2**28 and 0 < child < 256 <= read_peak_memory() < 2**20
