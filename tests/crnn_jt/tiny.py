"""Small models and data for the tests of the recogniser: 32x40 pictures, batches of 4, few channels.

All tests share these shapes, since Jittor compiles each new operator for seconds.
"""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from crnn_jt.backend import state
from crnn_jt.checkpoint import RunFolder
from crnn_jt.models import build, transform_of
from crnn_jt.registry import EXTRACTORS as ALL_EXTRACTORS
from crnn_jt.registry import GENERATORS as ALL_GENERATORS
from crnn_jt.registry import REFINERS as ALL_REFINERS
from crnn_jt.spec import (
    Config,
    DetectorSpec,
    DirectionSpec,
    ImageSpec,
    LabelSpec,
    PhotoSpec,
    RecognizerSpec,
    RegionSpec,
    SelectorSpec,
    SpotterSpec,
    StageSpec,
    TrainSpec,
)
from crnn_jt.tasks import task_of
from crnn_jt.trainer import Trainer
from crnn_jt.weights import Weights, save_weights
from data_tools.loader import text_loader
from data_tools.sample import CorruptSample, Sample

CHARACTERS = "abcdefgh"
BATCH = 4


def reads_words(name: str) -> bool:
    """Whether an extractor leaves four steps of a picture of 32x40; those for staves and photographs do not."""
    made = ALL_EXTRACTORS.build(name, ALL_EXTRACTORS.get(name).tiny, in_channels=1, height=32)
    height, width = made.out_shape(32, 40)
    return height > 0 and width >= 4


EXTRACTORS = {name: ALL_EXTRACTORS.get(name).tiny for name in ALL_EXTRACTORS.names() if reads_words(name)}
REFINERS = {name: ALL_REFINERS.get(name).tiny for name in ALL_REFINERS.names()}
REFINERS["bilstm, context"] = {**REFINERS["bilstm"], "context": True}
GENERATORS = {name: ALL_GENERATORS.get(name).tiny for name in ALL_GENERATORS.names()}
GENERATORS["attention, gru"] = {**GENERATORS["attention"], "cell": "gru"}
FIXED = ImageSpec(1, 32, 40)
PROPORTIONAL = ImageSpec(1, 32, 40, "proportional", 24, 48, 8)


def model(extractor="light", refiner="bilstm", generator="ctc", image=FIXED, max_length=4, **labels) -> RecognizerSpec:
    """A narrow recogniser of three stages; 40 columns give 10 steps."""
    stages = [
        StageSpec(name.split(",")[0], options[name])
        for name, options in ((extractor, EXTRACTORS), (refiner, REFINERS), (generator, GENERATORS))
    ]
    return RecognizerSpec(
        "tiny", *stages, image, LabelSpec(**{"characters": CHARACTERS, "max_length": max_length, **labels})
    )


def detector(width: float = 0.125, inner: int = 8) -> DetectorSpec:
    """A narrow detector of grey photographs of 64x64."""
    stages = StageSpec("dense", {"width": width}), StageSpec("fpn", {"inner": inner}), StageSpec("db", {"doublings": 1})
    return DetectorSpec("tiny", *stages, PhotoSpec(1, 64, 64))


def direction() -> DirectionSpec:
    """A narrow classifier of direction of grey pictures of 32x40."""
    return DirectionSpec("tiny", StageSpec("light", {"width": 0.125}), FIXED)


def spotter(generator: str = "attention", max_length: int = 4) -> SpotterSpec:
    """A narrow spotter of grey photographs of 64x64: the detector above, and a branch that reads."""
    found = detector()
    stages = StageSpec("region", {"channels": 8}), StageSpec("bilstm", {"hidden": 8, "depth": 1})
    return SpotterSpec(
        "tiny",
        found.extractor,
        found.neck,
        found.head,
        *stages,
        StageSpec(generator, GENERATORS[generator]),
        found.image,
        RegionSpec(8, 8, 32, 8),
        LabelSpec(CHARACTERS, max_length=max_length),
    )


def selector(*scales: float) -> SelectorSpec:
    """A narrow selector of the resolution of such photographs, which sees them at half their size."""
    return SelectorSpec("tiny", StageSpec("strided", {"width": 0.125}), PhotoSpec(1, 64, 64), 0.5, scales or (0.5, 1.0))


def write_weights(path: Path, spec, alive: bool = False) -> str:
    """A weights file of a fresh model, or a `lively` one, if it is not there; its name."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        model = build(spec, 5)
        save(path, lively(model) if alive else model)
    return str(path)


def save(path: Path, model) -> None:
    """Writes a model's weights file."""
    save_weights(path, Weights(state(model), model.spec))


def config(spec: RecognizerSpec | None = None, **train) -> Config:
    """A short training: 12 steps, something written every few steps."""
    short = {
        "steps": 12,
        "batch_size": BATCH,
        "learning_rate": 0.01,
        "warmup": 3,
        "ema": 0.9,
        "validate_every": 5,
        "checkpoint_every": 3,
        "log_every": 1,
        "workers": 0,
    }
    return Config(spec or model(), TrainSpec(**{**short, **train}))


def word(index: int, characters: str = CHARACTERS, longest: int = 4) -> str:
    """Word number `index`, the same everywhere."""
    rng = np.random.default_rng((7, index))
    return "".join(rng.choice(list(characters), rng.integers(1, longest + 1)))


def draw(text: str, size: tuple[int, int] = (40, 32)) -> Image.Image:
    """`text` in black on white."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((2, 6), text, 0, ImageFont.load_default(16))
    return image


class DrawnWords:
    """A reader of drawn words; `labels` replaces what is written under the pictures, None marks a corrupt one."""

    def __init__(self, size: int, labels: dict[int, str | None] | None = None, widths: tuple[int, ...] = (40,)):
        self.size, self.labels, self.widths = size, labels or {}, widths

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Sample:
        text = self.labels.get(index, word(index))
        if text is None:
            raise CorruptSample(f"drawn-{index}", "torn")
        return Sample(draw(word(index), (self.widths[index % len(self.widths)], 32)), text, f"drawn-{index}")


def pictures(count: int = BATCH, width: int = 40, seed: int = 0) -> np.ndarray:
    """Random pictures (N, 1, 32, W) in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 1, 32, width)).astype(np.float32)


def lively(recognizer, seed: int = 3):
    """The recogniser in eval mode with weights and statistics that make every path matter; fresh ones read blanks."""
    from crnn_jt.backend import load_state, state

    rng = np.random.default_rng(seed)
    arrays = {}
    for name, value in sorted(state(recognizer).items()):
        noise = rng.standard_normal(value.shape).astype(np.float32)
        if name.endswith("running_var"):
            arrays[name] = 0.5 + np.abs(noise)
        elif value.ndim == 1:
            arrays[name] = value + 0.2 * noise
        else:
            arrays[name] = value * (4 if "head" in name else 1)
    load_state(recognizer, arrays)
    recognizer.eval()
    return recognizer


def trainer(
    folder: Path, settings: Config, data=None, val=None, resume=False, shuffle=True, wrap=None, **options
) -> Trainer:
    """A trainer as `training.assemble` makes it, on drawn words; `wrap(task)` may stand in for its task."""
    recognizer = build(settings.model, settings.train.seed)
    task = task_of(recognizer, settings)
    accept, transform = recognizer.tokenizer.accept, transform_of(settings.model)
    shared = {"accept": accept, "workers": settings.train.workers}
    train_loader = text_loader(
        data or DrawnWords(18),
        transform,
        settings.train.batch_size,
        seed=settings.train.seed,
        shuffle=shuffle,
        drop_last=True,
        **shared,
        **options,
    )
    val_loader = text_loader(val or DrawnWords(6), transform, settings.train.batch_size, **shared)
    run = RunFolder(folder, settings)
    made = Trainer(run, wrap(task) if wrap else task, train_loader, val_loader, info={"data": "drawn"})
    if resume:
        made.resume()
    else:
        run.create()
    return made


def with_train(settings: Config, **changes) -> Config:
    """The configuration with another training."""
    return replace(settings, train=replace(settings.train, **changes))


def write_set(root: Path, count: int, **options) -> Path:
    """Drawn words as files in the report's layout."""
    reader = DrawnWords(count, **options)
    (root / "image").mkdir(parents=True)
    lines = []
    for index in range(count):
        sample = reader[index]
        content = io.BytesIO()
        sample.image.save(content, "PNG")
        (root / "image" / f"{index}.png").write_bytes(content.getvalue())
        lines.append(f"{index}.png {sample.text}\n")
    (root / "gt.txt").write_text("".join(lines), "utf-8")
    return root


def write_photos(root: Path, count: int) -> Path:
    """Photographs of 64x64 with a drawn word each, and its box."""
    for folder in ("image", "gt"):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        photo = Image.new("L", (64, 64), 255)
        x, y = 2 + 5 * index % 20, 3 + 7 * index % 28
        photo.paste(draw(word(index)), (x, y))
        photo.save(root / "image" / f"{index}.png")
        left, top, right, bottom = x, y + 4, x + 40, y + 26
        line = f"{left},{top},{right},{top},{right},{bottom},{left},{bottom},{word(index)}\n"
        (root / "gt" / f"{index}.txt").write_text(line)
    return root


def command(*words: object, room: str = "crnn_jt", **options) -> subprocess.CompletedProcess:
    """`python -m crnn_jt …` in a process of its own."""
    line = [sys.executable, "-m", room, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=900, **options)


def one_line(done: subprocess.CompletedProcess, *mentioned: str) -> str:
    """Asserts that a command ended as with a user's mistake: exit code 2, no traceback, one last line that names it."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 2, (done.returncode, done.stderr)
    last = done.stderr.strip().splitlines()[-1]
    for words in mentioned:
        assert words in last, last
    return last
