"""`python -m eval renderer`: mistakes before hours of training, and a small bench from its start to its table."""

import json
from dataclasses import replace

import pytest
import yaml

from crnn_jt.sources import SOURCES
from crnn_jt.spec import to_dict
from crnn_jt.weights import load_weights
from data_tools.cli import main
from eval.__main__ import COMMANDS
from tests.crnn_jt import tiny


@pytest.mark.parametrize(
    "options, named",
    [
        (["--out", "x", "--steps", "1"], "--root"),
        (["--root", "gone", "--out", "x"], "--steps or --minutes"),
        (["--root", "gone", "--out", "x", "--steps", "1"], "gone"),
        (["--root", "gone", "--out", "x", "--steps", "1", "--variants", "odd"], "odd"),
        (["--root", "gone", "--out", "x", "--steps", "1", "--init", "gone-too"], "gone-too"),
        (["--root", "gone", "--out", "x", "--steps", "1", "--device", "tpu"], "--device tpu"),
        (["--root", "gone", "--out", "x", "--steps", "1", "--seed", "-1"], "train.seed: -1"),
        (["--root", "gone", "--steps", "1"], "--out"),
    ],
)
def test_a_mistake_is_one_line(options, named, capsys):
    assert main("eval", "", COMMANDS, ["renderer", *options]) == 2
    out, err = capsys.readouterr()
    assert not out and named in err and "Traceback" not in err


def test_two_variants_of_the_renderer_end_in_a_table_and_an_interrupted_bench_goes_on(tmp_path, capsys, monkeypatch):
    """The real thing, four steps each from given weights: interrupted in the second variant, then finished."""
    from crnn_jt.checkpoint import RunFolder

    model = tiny.model(characters="0123456789abcdefghijklmnopqrstuvwxyz", max_length=8)
    settings = tiny.config(model, steps=4, checkpoint_every=1)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(to_dict(settings)))
    root = tiny.write_set(tmp_path / "root/SVT", 4).parent
    words = ["renderer", "--root", root, "--out", tmp_path / "out", "--config", tmp_path / "tiny.yaml", "--steps", 4]
    words += ["--variants", "default,no-camera", "--json"]

    def bench(*more):
        code = main("eval", "", COMMANDS, [str(word) for word in (*words, *more)])
        return code, capsys.readouterr().out

    log = RunFolder.log
    monkeypatch.setitem(SOURCES, "words", replace(SOURCES["words"], validation=8))

    def interrupted(run, **values):
        log(run, **values)
        if run.path.name == "no-camera" and run.progress.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "log", interrupted)
    assert bench() == (130, "")
    assert len(json.loads((tmp_path / "out/renderer.json").read_text())["variants"]) == 1
    first = (tmp_path / "out/default/last.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(RunFolder, "log", log)
    code, out = bench()
    assert code == 0 and json.loads(out) == json.loads((tmp_path / "out/renderer.json").read_text())
    assert [(one["variant"], one["images"]) for one in json.loads(out)["variants"]] == [
        ("default", 16),
        ("no-camera", 16),
    ]
    assert (tmp_path / "out/default/last.safetensors").stat().st_mtime_ns == first
    steps = [line["step"] for line in RunFolder(tmp_path / "out/no-camera", settings).history() if "loss" in line]
    assert steps == [1, 2, 3, 4]
    table = (tmp_path / "out/renderer.md").read_text().splitlines()
    assert table[0] == "| variant | what it changes | SVT | all | change |"
    assert table[3].startswith("| no-camera | `graphic` 1.0 | ") and "fresh weights, 4 steps of 4 words" in table[5]

    start = str(tmp_path / "out/default/last.safetensors")
    assert bench("--init", start)[0] == 2, "another start is another bench"
    words[words.index("--out") + 1] = tmp_path / "tuned"
    assert bench("--init", start, "--variants", "default")[0] == 0
    assert load_weights(tmp_path / "tuned/default/last.safetensors").info["init"] == start
