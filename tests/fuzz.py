"""Fuzzing: valid files of every kind that is read, mutated; each must give a result or the project's own refusal.

  python -m tests.fuzz --seconds 60 --seed 1                    every kind in turn
  python -m tests.fuzz --kind lmdb --seed 1 --case 4711         one case again

A case follows from the seed, its kind and its number; how many are run, from the time. A fault is any exception but the
refusals (`UserError`, `CorruptSample`, `MusicError`), the death of the process, more than `LIMIT` seconds of processor
time (`PATIENCE` by the clock) or more than `MEMORY` bytes. Its files stay in the folder --out. Exit code 1 where there
was a fault.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path

from data_tools.errors import UserError
from data_tools.music.notation import MusicError
from data_tools.sample import CorruptSample
from tests.fuzz_files import KINDS, Files, Kind

REFUSALS = (UserError, CorruptSample, MusicError)
LIMIT, PATIENCE = 30, 300
"""Seconds for one case: of processor time, and by the clock, on a machine that does other things too."""
MEMORY = 6 * 2**30
TURN = 4.0
"""Seconds of one kind before the next kind's turn; each round is a process of its own."""
_MANY = 10**9
_NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"4294967295", b"99999999999999999999", b"1e309", b"nan", b"\xc2\xb2")
_TOKENS = (
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\",
    b"/",
    b"..",
    b"<",
    b"&",
    b'"',
    b"{",
    b"[" * 3000,
    b"a" * 5000,
    "é".encode(),
    "\u202e".encode(),
    b"!!python/name:os.system",
    b"%s",
)
_WORDS = (b"\0\0", b"\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\1\0\0\0")


def mutate(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The content with one to six changes; `other` is what a splice takes from."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 16, 64, 512)))
        match rng.randrange(9):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:end] = rng.randbytes(end - at)
            case 2:
                del data[at:end]
            case 3:
                del data[at:]
            case 4:
                data[at:at] = data[at:end] * rng.choice((1, 1, 2, 50))
            case 5:
                word = rng.choice(_WORDS)
                data[at : at + len(word)] = word
            case 6:
                data[at:end] = rng.choice(_TOKENS)
            case 7:
                data = _change_number(data, rng)
            case 8:
                start = rng.randrange(len(other) + 1)
                data[at:end] = other[start : start + rng.choice((4, 64, 1024))]
    return bytes(data)


def _change_number(data: bytearray, rng: random.Random) -> bytearray:
    """Another number in place of one that is written in digits."""
    places = [at for at, byte in enumerate(data[:20_000]) if 48 <= byte <= 57]
    if places:
        at = rng.choice(places)
        data[at : at + 1] = rng.choice(_NUMBERS)
    return data


def make_case(kind: Kind, files: Files, seed: int, name: str, number: int) -> Files:
    """The files of a case."""
    rng = random.Random(zlib.crc32(f"{seed} {name} {number}".encode()))
    names = list(kind.mutated or files)
    changed = rng.choice(names)
    made = {**files, changed: mutate(files[changed], files[rng.choice(list(files))], rng)}
    alone = name in ("pictures", "pickles", "lexicons")  # files that are read one by one: the others would hide it
    return {changed: made[changed], **({"lex.txt": made["lex.txt"]} if name == "lexicons" else {})} if alone else made


def run_case(kind: Kind, files: Files) -> str:
    """Reads the files of a case; what went wrong, nothing where nothing did."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        write(Path(folder), files)
        signal.signal(signal.SIGPROF, _too_long), signal.signal(signal.SIGALRM, _too_long)
        signal.setitimer(signal.ITIMER_PROF, LIMIT), signal.alarm(PATIENCE)
        try:
            kind.use(Path(folder))
        except REFUSALS as refusal:
            return f"a refusal of several lines: {refusal}" if "\n" in str(refusal).strip() else ""
        except BaseException:
            return traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0), signal.alarm(0)
    return ""


def write(folder: Path, files: Files) -> None:
    """The files of a case below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _too_long(*_):
    raise TimeoutError(f"more than {LIMIT} seconds of processor time, or {PATIENCE} by the clock")


def work(name: str, seed: int, numbers: range, until: float, pipe) -> None:
    """A process: cases of one kind, each announced before it begins, so that its death can be laid at its door."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    kind = KINDS[name]
    files = kind.make()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff's remarks
    run_case(kind, files)  # what it imports is no time of a case, nor of the turn
    until = min(until, time.monotonic() + TURN)
    for number in numbers:
        if time.monotonic() > until:
            break
        pipe.send((number, None))
        pipe.send((number, run_case(kind, make_case(kind, files, seed, name, number))))
    pipe.send((-1, None))
    sys.stdout.flush()


def run_round(name: str, seed: int, numbers: range, until: float) -> tuple[int, dict[int, str]]:
    """The cases of one round that were run, and the faults among them by number."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=work, args=(name, seed, numbers, until, theirs))
    process.start()
    theirs.close()
    count, last, faults = 0, -1, {}
    try:
        while True:
            number, fault = ours.recv()
            if number < 0:
                break
            last, count = number, count + (fault is None)
            if fault:
                faults[number] = fault
    except EOFError:
        faults[last] = f"the process died (exit code {process.exitcode})"
    process.join()
    if process.exitcode and last in faults and faults[last].startswith("the process died"):
        faults[last] = f"the process died (exit code {process.exitcode})"
    return count, faults


def run(kinds: list[str], seconds: float, seed: int, out: Path, start: int = 0) -> int:
    """Rounds of all kinds in turn for so long; the number of faults, each reported and kept below `out`."""
    until, done, found = time.monotonic() + seconds, dict.fromkeys(kinds, start), 0
    while time.monotonic() < until:
        for name in kinds:
            count, faults = run_round(name, seed, range(done[name], _MANY), until)
            for number, fault in faults.items():
                found += 1
                report(name, seed, number, fault, out)
            done[name] += count
    cases = ", ".join(f"{name} {count - start:,}" for name, count in done.items())
    print(f"{sum(done.values()) - start * len(done):,} cases in {seconds:.0f} s, {found} faults ({cases})")
    return found


def report(name: str, seed: int, number: int, fault: str, out: Path) -> None:
    """Says what went wrong and keeps the files of the case."""
    folder = out / f"{name}-{seed}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, make_case(KINDS[name], KINDS[name].make(), seed, name, number))
    print(
        f"FAULT: python -m tests.fuzz --kind {name} --seed {seed} --case {number}   (files: {folder})\n{fault}",
        flush=True,
    )


def main(argv: list[str] | None = None) -> int:
    """The command line; see the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--case", type=int)
    parser.add_argument("--start", type=int, default=0, help="number of the first case of each kind")
    parser.add_argument("--out", type=Path, default=Path("fuzz-faults"))
    args = parser.parse_args(argv)
    kinds = args.kind or list(KINDS)
    if args.case is None:
        return int(run(kinds, args.seconds, args.seed, args.out, args.start) > 0)
    _, faults = run_round(kinds[0], args.seed, range(args.case, args.case + 1), time.monotonic() + 2 * LIMIT)
    print(*(faults.values() or ["no fault"]), sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
