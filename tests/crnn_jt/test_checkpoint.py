"""Run folders: what is needed to go on is there whole, whenever and however a run ends."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import yaml

from crnn_jt.spec import Config, from_dict, to_dict
from crnn_jt.weights import read_safetensors
from data_tools.errors import UserError
from tests.crnn_jt import tiny


def short(tmp_path, name="run", **options):
    trainer = tiny.trainer(tmp_path / name, tiny.config(steps=3, validate_every=3, **options))
    trainer.run()
    return trainer


def test_the_spec_is_written_beside_the_run(tmp_path):
    """spec.yaml trains the same model again."""
    trainer = tiny.trainer(tmp_path / "run", tiny.config())
    values = yaml.safe_load((tmp_path / "run" / "spec.yaml").read_text())
    assert from_dict(Config, values) == trainer.folder.config


def test_a_run_is_not_overwritten(tmp_path):
    """A second training into the same folder would destroy the first."""
    short(tmp_path)
    with pytest.raises(UserError, match="holds a run already; add --resume, or name another folder"):
        tiny.trainer(tmp_path / "run", tiny.config())


def test_a_run_killed_before_its_first_checkpoint_is_begun_anew(tmp_path):
    """There is nothing to resume, so nothing stands in the way of another start either."""
    folder = tiny.trainer(tmp_path / "run", tiny.config()).folder
    folder.log(loss=1.0)
    assert not tiny.trainer(tmp_path / "run", tiny.config()).folder.history()


def test_resume_without_a_run(tmp_path):
    """--resume in an empty folder names the file that is missing."""
    with pytest.raises(UserError, match=r"--resume: no .*checkpoint\.safetensors; start the run without --resume"):
        tiny.trainer(tmp_path / "run", tiny.config(), resume=True)


@pytest.mark.parametrize(
    "settings",
    [tiny.config(tiny.model("vgg")), tiny.config(optimizer="sgd"), tiny.config(tiny.model(characters="abc"))],
)
def test_resume_with_another_model_is_refused(settings, tmp_path):
    """Another architecture, optimiser or character set is another run."""
    short(tmp_path)
    with pytest.raises(UserError, match="was written with another model or optimiser than --config names"):
        tiny.trainer(tmp_path / "run", settings, resume=True)


def test_resume_with_averaging_switched_on_is_one_line(tmp_path):
    """The checkpoint has no averages to go on from."""
    short(tmp_path, ema=0.0)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: does not fit the model: missing"):
        tiny.trainer(tmp_path / "run", tiny.config(steps=3), resume=True)


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_checkpoint_that_is_none_is_one_line(content, tmp_path):
    """Cut off by another program, or a weights file under its name."""
    trainer = short(tmp_path)
    path = trainer.folder.checkpoint
    path.write_bytes((path.parent / "last.safetensors").read_bytes() if content is None else content)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: (not a readable|is no checkpoint)"):
        tiny.trainer(tmp_path / "run", tiny.config(steps=3), resume=True)


def test_metrics_are_cut_back_to_the_checkpoint(tmp_path):
    """Lines behind the checkpoint, and one that was cut short, would be there twice after a resume."""
    trainer = short(tmp_path)
    before = trainer.folder.metrics.read_text()
    with trainer.folder.metrics.open("a") as file:
        file.write('{"step": 4, "loss": 1.0}\n[]\n{"step": 5, "lo')
    tiny.trainer(tmp_path / "run", tiny.config(steps=3, validate_every=3), resume=True)
    assert trainer.folder.metrics.read_text() == before


def test_half_written_files_of_a_killed_writer_go_at_the_resume(tmp_path):
    """A kill while a checkpoint is written leaves a temporary file; it must neither count nor stay."""
    trainer = short(tmp_path)
    left = tmp_path / "run" / ".checkpoint.safetensors.abcdef.part"
    left.write_bytes(trainer.folder.checkpoint.read_bytes()[:1000])
    tiny.trainer(tmp_path / "run", tiny.config(steps=3, validate_every=3), resume=True)
    assert not left.exists()


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    """The checkpoint does not fit: the one before it stays, and no part of the new one."""
    trainer = short(tmp_path)
    good = trainer.folder.checkpoint.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, hard))
    try:
        trainer.progress.step += 1
        with pytest.raises(UserError, match=r"checkpoint\.safetensors: cannot be written .*; free space") as caught:
            trainer.checkpoint()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert trainer.folder.checkpoint.read_bytes() == good
    assert not list((tmp_path / "run").glob(".*.part"))


def start(tmp_path, config, *more, out="run") -> subprocess.Popen:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(to_dict(config)))
    data = tmp_path / "set"
    if not data.exists():
        tiny.write_set(data, 12)
    line = [sys.executable, "-m", "crnn_jt", "train", "--config", path, "--train", data, "--val", data, *more]
    return subprocess.Popen(
        [*map(str, line), "--out", str(tmp_path / out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(process, path, seconds=600):
    for _ in range(seconds * 20):
        if path.exists():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate()[0])


def test_killed_at_any_moment_a_loadable_checkpoint_stays(tmp_path):
    """SIGKILL, again and again, with a checkpoint written at every step: each time the run goes on from a whole one."""
    # all operators are compiled first: a compiler that is cut off belongs to Jittor's cache, not to the run folder
    whole = start(tmp_path, tiny.config(steps=8, checkpoint_every=1, validate_every=7), out="whole")
    assert whole.wait(timeout=600) == 0, whole.communicate()[0]
    config = tiny.config(steps=10**6, checkpoint_every=1, validate_every=7)
    checkpoint, steps = tmp_path / "run" / "checkpoint.safetensors", [0]
    for attempt in range(3):
        process = start(tmp_path, config, *(["--resume"] if attempt else []))
        wait_for(process, checkpoint)
        before = checkpoint.stat().st_mtime_ns
        while checkpoint.stat().st_mtime_ns == before and process.poll() is None:
            time.sleep(0.003 * (attempt + 1))
        time.sleep(0.03 * attempt)
        process.send_signal(signal.SIGKILL)
        output = process.communicate()[0]
        assert process.returncode == -signal.SIGKILL, output
        _, metadata = read_safetensors(checkpoint)
        steps.append(json.loads(metadata["progress"])["step"])
    # the same step twice where the kill fell into the validation that belongs to it
    assert steps == sorted(steps) and steps[1] > 0, "each attempt must go on from the one before"


def test_sigterm_writes_a_checkpoint(tmp_path):
    """A batch system's SIGTERM: the process ends with 130, one line, and all steps are kept."""
    config = tiny.config(steps=10**6, checkpoint_every=10**6, validate_every=10**6)
    process = start(tmp_path, config)
    wait_for(process, tmp_path / "run" / "metrics.jsonl")
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 130 and "Traceback" not in output, output
    assert output.strip().splitlines()[-1] == "crnn_jt train: interrupted"
    _, metadata = read_safetensors(tmp_path / "run" / "checkpoint.safetensors")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(metadata["progress"])["step"] == json.loads(lines[-1])["step"]
    assert os.listdir(tmp_path / "run").count("checkpoint.safetensors") == 1


class Board:
    """TensorBoard's writer, noting what it is given."""

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.scalars, self.closed = folder, purge_step, [], False
        Board.made = self

    def add_scalar(self, name, value, step):
        self.scalars.append((name, step, float(value)))

    def close(self):
        self.closed = True


def boarded(monkeypatch, trainer) -> Board:
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Board))
    trainer.folder.open_tensorboard()
    return Board.made


def test_tensorboard_gets_every_line_of_the_metrics(tmp_path, monkeypatch):
    """Losses, rates and validations at their steps, all of them written out when the run ends."""
    trainer = tiny.trainer(tmp_path / "run", tiny.config(steps=3, validate_every=3))
    board = boarded(monkeypatch, trainer)
    trainer.run()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    expected = [(name, line["step"], value) for line in lines for name, value in line.items() if name != "step"]
    assert board.scalars == expected and {"loss", "learning_rate", "accuracy"} <= {name for name, _, _ in expected}
    assert board.closed and board.folder == str(tmp_path / "run" / "tensorboard")


def test_a_resumed_run_replaces_what_tensorboard_showed_of_the_steps_done_again(tmp_path, monkeypatch):
    """Else its curves fold back on themselves."""
    short(tmp_path)
    trainer = tiny.trainer(tmp_path / "run", tiny.config(steps=4), resume=True)
    board = boarded(monkeypatch, trainer)
    trainer.run()
    assert board.purge_step == 4 and {step for _, step, _ in board.scalars} == {4}


def test_tensorboard_that_is_missing_is_one_line(tmp_path, monkeypatch):
    """The package is no requirement."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    trainer = tiny.trainer(tmp_path / "run", tiny.config())
    with pytest.raises(UserError, match="--tensorboard: pip install tensorboardX, or leave the option out"):
        trainer.folder.open_tensorboard()


def test_tensorboard_itself_reads_the_events(tmp_path):
    """Written by the real package: framed records, one scalar each."""
    pytest.importorskip("tensorboardX", reason="no tensorboardX: pip install tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    trainer = tiny.trainer(tmp_path / "run", tiny.config(steps=3, validate_every=3))
    trainer.folder.open_tensorboard()
    trainer.run()
    (path,) = (tmp_path / "run" / "tensorboard").iterdir()
    content, found = path.read_bytes(), {}
    while content:  # length (8), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        content = content[16 + size :]
    losses = {line["step"]: line["loss"] for line in trainer.folder.history() if "loss" in line}
    assert {step: pytest.approx(found["loss", step]) for step in (1, 2, 3)} == losses and ("accuracy", 3) in found
