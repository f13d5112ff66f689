"""`train` from the command line: options, what they change, and what is refused before anything is written."""

from __future__ import annotations

import json

import pytest
import yaml

from crnn_jt.spec import to_dict
from crnn_jt.weights import load_weights
from tests.crnn_jt import tiny


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(to_dict(tiny.config(steps=4, validate_every=4))))
    return path


@pytest.fixture
def train(crnn_jt, config, data, tmp_path):
    """A training on drawn words into `run`."""

    def run(*more):
        words = ["train", "--config", config, "--train", data, "--val", data, "--out", tmp_path / "run", *more]
        return crnn_jt(*words)

    return run


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_what_the_readme_says(train, tmp_path):
    """All files of a run folder, the loss of every step, the whole validation set."""
    code, out, _ = train("--workers", 1)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    wanted = {"spec.yaml", "checkpoint.safetensors", "best.safetensors", "last.safetensors", "metrics.jsonl"}
    assert not code and not out and wanted | {"curves.png"} == names
    assert [line["step"] for line in lines(tmp_path / "run") if "loss" in line] == [1, 2, 3, 4]
    assert lines(tmp_path / "run")[-1]["n"] == 6


def test_options_change_the_configuration(train, tmp_path):
    """--steps, --batch-size, --learning-rate and --seed are in the run's own spec."""
    train("--steps", 1, "--batch-size", 2, "--learning-rate", 0.5, "--seed", 9)
    written = yaml.safe_load((tmp_path / "run" / "spec.yaml").read_text())["train"]
    assert (written["steps"], written["batch_size"], written["learning_rate"], written["seed"]) == (1, 2, 0.5, 9)
    assert [line["step"] for line in lines(tmp_path / "run") if "loss" in line] == [1]


def test_a_cache_serves_the_next_training(crnn_jt, config, data, tmp_path):
    """Rendered words, each used twice, are kept; a second run with the same seed makes none and learns the same."""
    written = yaml.safe_load(config.read_text())
    written["train"] |= {"rendered": {"system_fonts": False}, "window": 4}
    config.write_text(yaml.safe_dump(written))
    cache, runs = tmp_path / "cache", (tmp_path / "first", tmp_path / "second")
    kept = []
    for run in runs:
        options = ["--val", data, "--cache", cache, "--echo", 2]
        assert crnn_jt("train", "--config", config, "--out", run, *options)[0] == 0
        kept.append({path.name: path.stat().st_mtime_ns for path in cache.rglob("*.npz")})
    first, second = ([line["loss"] for line in lines(run) if "loss" in line] for run in runs)
    assert kept[0] and kept[0] == kept[1]
    assert first == pytest.approx(second, rel=1e-4)
    assert load_weights(runs[1] / "last.safetensors").info["echo"] == 2


def test_minutes_end_a_run(train, tmp_path):
    """--minutes stops by the clock, validated and checkpointed."""
    code, _, _ = train("--minutes", 0.0001)
    assert not code and lines(tmp_path / "run")[-1]["n"] == 6
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_resume_goes_on(train, tmp_path):
    """--resume with more steps: one history without gaps or repeats."""
    train()
    code, _, _ = train("--resume", "--steps", 6)
    assert not code
    assert [line["step"] for line in lines(tmp_path / "run") if "loss" in line] == [1, 2, 3, 4, 5, 6]


def test_rendered_words_where_no_data_is_named(crnn_jt, tmp_path):
    """Without --train words are rendered, the same ones for the same seed."""
    model = tiny.model(characters="0123456789abcdefghijklmnopqrstuvwxyz", max_length=8)
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(to_dict(tiny.config(model, steps=2, validate_every=9))))
    for name in ("one", "two"):
        crnn_jt("train", "--config", tmp_path / "r.yaml", "--val", tiny_set(tmp_path), "--out", tmp_path / name)
    first, second = ([line["loss"] for line in lines(tmp_path / name) if "loss" in line] for name in ("one", "two"))
    assert first == second and len(first) == 2


def tiny_set(tmp_path):
    path = tmp_path / "set"
    return path if path.exists() else tiny.write_set(path, 4)


def test_fine_tuning_says_what_is_fresh(train, weights, config, tmp_path, caplog):
    """--init with another character set: the log names what starts anew, the rest is taken."""
    spec = tiny.model(characters="abcdefgz")
    config.write_text(yaml.safe_dump(to_dict(tiny.config(spec, steps=1, validate_every=1))))
    with caplog.at_level("INFO"):
        code, _, _ = train("--init", weights)
    assert not code and "generator.head.weight (1 of 9 rows)" in caplog.text
    assert load_weights(tmp_path / "run" / "last.safetensors").info["init"] == str(weights)


MISTAKES = [
    (["--steps", "0"], "train.steps: 0; it takes 1 or more"),
    (["--steps", "many"], "steps"),
    (["--minutes", "-1"], "--minutes -1.0: it takes 0 (no limit) or more"),
    (["--device", "tpu"], "--device tpu: it takes cpu or cuda"),
    (["--precision", "float64"], "train.precision: 'float64'; it takes float32 or bfloat16"),
    (["--batch-size", "100"], "6 samples, less than one batch of 100"),
    (["--workers", "-2"], "train.workers: -2; it takes 0 or more"),
    (["--train", "nowhere"], "nowhere: there is no such file or folder"),
    (["--val", "nowhere"], "nowhere: there is no such file or folder"),
    (["--init", "nowhere"], "nowhere: no such weights file or model"),
    (["--config", "crn"], "--config crn: no such file or configuration; there are:"),
    (["--resume"], "--resume: no "),
    (["--epochs", "3"], "--epochs"),
    (["--echo", "0"], "train.echo: 0; it takes 1 or more"),
    (["--echo", "3"], "echo is 3; it must divide the window of 16 batches"),
    (["--cache", "anywhere"], "--cache keeps what is rendered"),
]


@pytest.mark.parametrize(
    ("more", "said"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_mistakes_are_one_line_and_leave_nothing(more, said, train, tmp_path):
    """Exit code 2, the option or path named, and no run folder that would stand in the way of the next try."""
    code, out, err = train(*more)
    last = err.strip().splitlines()[-1]
    assert code == 2 and not out and "Traceback" not in err and said in last, err
    assert not (tmp_path / "run").exists()


def test_an_unwritable_run_folder(train, tmp_path):
    """--out below a file."""
    (tmp_path / "run").write_text("in the way")
    code, _, err = train()
    assert code == 2 and "run" in err.strip().splitlines()[-1] and "Traceback" not in err


def test_bfloat16_belongs_to_pytorch(train, tmp_path):
    """Jittor says so before anything is written; PyTorch trains."""
    code, _, err = train("--precision", "bfloat16", "--steps", 1)
    if code:
        assert code == 2 and "use CRNN_BACKEND=torch for bfloat16" in err.strip().splitlines()[-1]
        assert not (tmp_path / "run").exists()
    else:
        assert lines(tmp_path / "run")[0]["loss"] > 0
