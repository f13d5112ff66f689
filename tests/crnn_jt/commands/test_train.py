"""`train` from the command line: options, what they change, and what is refused before anything is written."""

from __future__ import annotations

import itertools
import json
import shutil

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


def test_sets_in_shares_are_learnt_from_and_resumed(crnn_jt, config, data, tmp_path):
    """The same samples follow after an interruption, and other shares are another run."""
    config.write_text(yaml.safe_dump(to_dict(tiny.config(schedule="constant", validate_every=9))))
    other = tiny.write_set(tmp_path / "other:1", 3)
    line = ("train", "--config", config, "--train", f"{data}:2", f"{other}:1", "--val", data)
    losses = {}
    for name, parts in (("whole", (6,)), ("cut", (3, 6))):
        for steps in parts:
            resume = ("--resume",) if steps > parts[0] else ()
            code, _, err = crnn_jt(*line, "--out", tmp_path / name, "--steps", steps, *resume)
            assert not code, err
        losses[name] = [line["loss"] for line in lines(tmp_path / name) if "loss" in line]
    assert len(losses["whole"]) == 6 and losses["cut"] == losses["whole"]
    code, _, err = crnn_jt("train", "--out", tmp_path / "cut", "--resume", "--train", f"{data}:3", f"{other}:1")
    assert code == 2 and "was begun with data.train" in err


def test_a_run_is_resumed_by_its_folder_alone(crnn_jt, train, config, tmp_path):
    """Without its options: batch size, seed and data are those of the run; the same losses as if never interrupted."""
    constant = tiny.config(schedule="constant", validate_every=9)  # what does not depend on where the run ends
    config.write_text(yaml.safe_dump(to_dict(constant)))
    options = ["--batch-size", 2, "--seed", 9, "--workers", 0]
    train(*options, "--steps", 6)
    whole = [line["loss"] for line in lines(tmp_path / "run") if "loss" in line]
    shutil.rmtree(tmp_path / "run")
    train(*options, "--steps", 3)
    code, _, err = crnn_jt("train", "--out", tmp_path / "run", "--resume", "--steps", 6)
    assert not code, err
    resumed = [line["loss"] for line in lines(tmp_path / "run") if "loss" in line]
    assert resumed == pytest.approx(whole, rel=1e-4) and len(whole) == 6
    code, _, err = crnn_jt("train", "--out", tmp_path / "run", "--resume", "--seed", 8)
    assert code == 2 and "was begun with train.seed 9, not 8" in err.strip().splitlines()[-1]


def relabel(data, folder, *texts):
    """The drawn words with other labels, again and again."""
    shutil.copytree(data, folder)
    names = [line.split()[0] for line in (folder / "gt.txt").read_text().splitlines()]
    rows = [f"{name}\t{text}\n" for name, text in zip(names, itertools.cycle(texts))]
    (folder / "gt.txt").write_text("".join(rows))
    return folder


def test_a_teacher_is_named_once(crnn_jt, train, data, tmp_path):
    """--teacher stands in the run's own spec: --resume goes on with it, and with no other."""
    teacher, other = (tiny.write_weights(tmp_path / f"{name}.safetensors", tiny.model()) for name in ("one", "other"))
    code, _, err = train("--teacher", teacher, "--student-scale", 0.5, "--steps", 3)
    assert not code, err
    task = yaml.safe_load((tmp_path / "run" / "spec.yaml").read_text())["task"]
    assert task == {"name": "distillation", "teacher": teacher, "scale": 0.5}
    code, _, err = crnn_jt("train", "--out", tmp_path / "run", "--resume", "--steps", 4)
    assert not code, err
    losses = [line for line in lines(tmp_path / "run") if "loss" in line]
    assert [line["step"] for line in losses] == [1, 2, 3, 4]
    assert {"loss/teacher", "loss/features", "loss/hidden", "loss/ctc"} <= set(losses[-1])
    code, _, err = crnn_jt("train", "--out", tmp_path / "run", "--resume", "--steps", 5, "--teacher", other)
    assert code == 2 and "another teacher" in err


def test_it_is_said_at_the_start_what_can_be_learnt(train, data, tmp_path, caplog):
    """How many samples of the first thousand, and why not the others; and at the end what was left out."""
    mixed = relabel(data, tmp_path / "mixed", "abc", "abcdefgh", "???")
    (mixed / "image/0.png").write_bytes(b"")
    with caplog.at_level("INFO"):
        code, _, err = train("--train", mixed, "--batch-size", 2, "--steps", 3, "--max-corrupt", 1)
    assert not code, err
    said = "of the first 6 samples 1 can be used; left out: 2 × the label policy drops it, 2 × the model cannot write"
    assert said in caplog.text and "1 × the image is empty" in caplog.text
    assert "left out of the training: 2 × " in caplog.text


@pytest.mark.parametrize("text", ["abcdefgh", "???", "aaaaaaaaaaaaa"], ids=["too long", "outside", "repeats"])
def test_a_run_that_can_learn_nothing_stops_before_it_begins(text, train, data, tmp_path):
    """No empty steps, no untrained weights: one line that says why."""
    code, out, err = train("--train", relabel(data, tmp_path / "none", text))
    last = err.strip().splitlines()[-1]
    assert code == 2 and not out and "of the first 6 samples 0 can be used; left out: 6 × " in last, err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "picture", "said"),
    [("???", None, "not one of 6 samples can be used"), ("abc", b"<html>", "samples are corrupt, more than 10%")],
    ids=["labels", "pictures"],
)
def test_a_run_that_could_not_be_validated_stops_before_it_begins(text, picture, said, train, data, tmp_path):
    """Not at its first validation, after hours."""
    bad = relabel(data, tmp_path / "bad", text)
    for path in (bad / "image").iterdir() if picture else ():
        path.write_bytes(picture)
    code, _, err = train("--val", bad)
    last = err.strip().splitlines()[-1]
    assert code == 2 and "to validate on: " in last and said in last and not (tmp_path / "run").exists()


def test_a_detector_needs_regions(crnn_jt, data, tmp_path):
    """Pictures of words would teach it that there is no text anywhere, whichever command trains it."""
    code, _, err = crnn_jt("train", "--config", "db-light", "--train", data, "--out", tmp_path / "run")
    assert code == 2 and f"{data}: no regions of text" in err.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_corrupt_samples_beyond_a_share_end_a_run_unless_more_are_allowed(train, data, tmp_path):
    """--max-corrupt is what the message names."""
    torn = relabel(data, tmp_path / "torn", "abc")
    for name in ("0.png", "1.png", "2.png"):
        (torn / "image" / name).write_bytes(b"no picture")
    more = ["--train", torn, "--batch-size", 6, "--steps", 1]
    code, _, err = train(*more)
    assert code == 2 and "max_corrupt" in err.strip().splitlines()[-1] and not (tmp_path / "run").exists()
    assert not train(*more, "--max-corrupt", 0.5)[0]


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
    with caplog.at_level("INFO"):
        train("--init", weights, "--resume", "--steps", 2)
    assert f"--init {weights}: is not taken again; the run goes on from its checkpoint" in caplog.text


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
    (["--max-corrupt", "2"], "--max-corrupt is 2.0; it must be a number from 0 to 1"),
    (["--epochs", "3"], "--epochs"),
    (["--echo", "0"], "train.echo: 0; it takes 1 or more"),
    (["--echo", "3"], "echo is 3; it must divide the window of 16 batches"),
    (["--cache", "anywhere"], "--cache keeps what is rendered"),
    (["--teacher", "nowhere"], "nowhere: no such weights file or model"),
    (["--teacher", "db-light"], "db-light: is a detector, not a recognizer"),
    (["--student-scale", "0.5"], "name the weights that teach with --teacher"),
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
