"""Soaking: memory over very many pictures, and trainings that are killed again and again.

  python -m tests.soak reading --pictures 100000
  python -m tests.soak training --kills 300

`reading` reads words with the model that ships and watches the process's memory. `training` kills a training with
SIGKILL at random moments and resumes it, a checkpoint each step, until so many kills were survived; its losses must be
those of a run that nobody touched. With --minutes it stops before that, says how far it came, and goes on from there
the next time. Exit code 1 where memory grows or a loss differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

GROWTH = 0.05
"""Of the memory after a tenth of the pictures: more than this share on top of it is a leak."""
STEPS_A_KILL = 6


def soak_reading(pictures: int, seed: int) -> int:
    """Reads `pictures` pictures, 500 distinct ones again and again, in the batches of `read`."""
    import crnn_jt
    from data_tools.words import Recipe, RenderedWords

    words = RenderedWords(seed, 500, Recipe(system_fonts=False))
    reader, memory, begun = crnn_jt.load("crnn-light"), [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.png" for index in range(len(words))]
        for index, path in enumerate(paths):
            words[index].image.save(path)
        first = [one.text for one in reader.read(paths)]
        for done in range(len(paths), pictures + 1, len(paths)):
            assert [one.text for one in reader.read(paths)] == first, "the same pictures were read in another way"
            memory.append((done, _resident()))
    early = max(value for done, value in memory if done <= max(pictures / 10, memory[0][0]))
    late = max(value for _, value in memory)
    seconds = time.monotonic() - begun
    print(f"{pictures:,} pictures in {seconds:.0f} s: {early:.0f} MB after a tenth, {late:.0f} MB at most")
    return int(late > early * (1 + GROWTH))


def _resident() -> float:
    """Resident memory of this process, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def soak_training(kills: int, seed: int, folder: Path, minutes: float) -> int:
    """A training without interruption, then one that is killed `kills` times; their losses must be the same."""
    steps, until = kills * STEPS_A_KILL, time.monotonic() + 60 * minutes
    count, checkpoint = folder / "kills", folder / "killed" / "checkpoint.safetensors"
    start = _train_untouched(folder, seed, steps) if not count.is_file() else []
    done, code = int(count.read_text()) if count.is_file() else 0, None
    while code is None and not (minutes and time.monotonic() > until):
        with open(folder / "log.txt", "w") as log:
            command = _command(folder / "killed", *(["--resume"] if checkpoint.is_file() else start))
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        if done < kills and _kill_in_the_middle(child, checkpoint, random.Random(f"{seed} {done}")):
            done += 1
            count.write_text(str(done))
        else:
            code = child.wait()
    whole, killed = (_losses(folder / name) for name in ("whole", "killed"))
    same = np.allclose(whole[: len(killed)], killed, rtol=1e-5) and (code is None or len(whole) == len(killed) == steps)
    said = f"{done} kills over {len(killed)} of {steps} steps" + (f", exit code {code}" if code is not None else "")
    print(f"{said}: losses {'the same' if same else 'DIFFER'}")
    return int(not same or bool(code))


def _train_untouched(folder: Path, seed: int, steps: int) -> list[object]:
    """Trains in `folder`/whole; returns the options of that run."""
    from crnn_jt.spec import to_dict
    from tests.crnn_jt import tiny

    shutil.rmtree(folder, ignore_errors=True)
    data = tiny.write_set(folder / "set", 12)
    settings = tiny.config(steps=steps, checkpoint_every=1, validate_every=max(steps // 3, 1), seed=seed)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(to_dict(settings)))
    options = ["--config", folder / "tiny.yaml", "--train", data, "--val", data]
    whole = subprocess.run(_command(folder / "whole", *options), capture_output=True, text=True)
    assert not whole.returncode, whole.stderr[-2000:]
    return options


def _command(out: Path, *words: object) -> list[str]:
    return [sys.executable, "-m", "crnn_jt", "train", "--out", str(out), *map(str, words)]


def _kill_in_the_middle(child: subprocess.Popen, checkpoint: Path, rng: random.Random) -> bool:
    """SIGKILL at a random moment after the next checkpoint; False where the training ended before."""
    before = _changed(checkpoint)
    while child.poll() is None and _changed(checkpoint) == before:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.25))
    if child.poll() is not None:
        return False
    child.kill()
    child.wait()
    return True


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _losses(run: Path) -> list[float]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text("utf-8").splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def main(argv: list[str] | None = None) -> int:
    """The command line; see the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reading", "training"])
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=0, help="of killing; 0: to the end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("soak"))
    args = parser.parse_args(argv)
    if args.what == "reading":
        return soak_reading(args.pictures, args.seed)
    return soak_training(args.kills, args.seed, args.folder, args.minutes)


if __name__ == "__main__":
    sys.exit(main())
