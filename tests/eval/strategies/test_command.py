"""`python -m eval strategies`: mistakes before hours of training, and a small table from its pool to its plot."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from crnn_jt.sources import SOURCES
from crnn_jt.spec import DataSpec, to_dict
from data_tools.cli import main
from data_tools.readers import open_reader
from eval.__main__ import COMMANDS
from tests.crnn_jt import tiny


@pytest.mark.parametrize(
    "options, named",
    [
        (["--out", "x"], "--table: name one"),
        (["--table", "12"], "--out"),
        (["--table", "13", "--out", "x"], "--table 13: there are: 3, 5"),
        (["--table", "12", "--out", "x", "--rows", "S8"], "--init: name the weights"),
        (["--table", "11", "--out", "x", "--init", "crnn-light"], "--init: table 11 has no row"),
        (["--table", "12", "--out", "x", "--init", "gone"], "gone"),
        (["--table", "12", "--out", "x", "--seeds", "0"], "--seeds"),
        (["--table", "12", "--out", "x", "--budget", "5"], "--budget"),
        (["--table", "12", "--out", "x", "--root", "gone", "--pool", "1"], "--pool"),
    ],
)
def test_a_mistake_is_one_line(options, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main("eval", "", COMMANDS, ["strategies", *options]) == 2
    out, err = capsys.readouterr()
    assert not out and named in err and "Traceback" not in err and not list(tmp_path.iterdir())


def test_the_tables_are_listed(capsys):
    assert main("eval", "", COMMANDS, ["strategies", "--list"]) == 0
    assert "12: the recogniser's strategies" in capsys.readouterr().out


def test_a_table_that_was_interrupted_goes_on_and_ends_in_a_plot(tmp_path, capsys, monkeypatch):
    """The real thing, two rows of table 9 on rendered words, four steps each: interrupted in the second row, then
    finished on the same pool, and judged on drawn words.
    """
    from crnn_jt.checkpoint import RunFolder

    settings = replace(tiny.config(tiny.direction(), steps=4), data=DataSpec("words", {"strength": 0.2}))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(to_dict(settings)))
    root = tiny.write_set(tmp_path / "root/SVT", 4, labels=dict.fromkeys(range(4), "abcd"))
    options = ["--table", 9, "--rows", "none,cutmix", "--config", tmp_path / "tiny.yaml", "--out", tmp_path / "out"]
    options += ["--pool", 12, "--budget", 16, "--seeds", 1, "--root", root, "--json"]
    monkeypatch.setitem(SOURCES, "words", replace(SOURCES["words"], validation=8))
    monkeypatch.setattr("eval.strategies.bench.TIMED", 0.0)

    def bench():
        code = main("eval", "", COMMANDS, [str(word) for word in ("strategies", *options)])
        out, err = capsys.readouterr()
        assert code in (0, 2, 130), err
        return code, out

    log = RunFolder.log

    def interrupted(run, **values):
        log(run, **values)
        if run.path.name == "cutmix-0" and run.progress.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "log", interrupted)
    assert bench() == (130, "")
    out = tmp_path / "out/table-9"
    assert [one["row"] for one in json.loads((out / "strategies.json").read_text())["outcomes"]] == ["none"]
    pools = sorted((tmp_path / "out/pool").iterdir())
    assert sorted(len(open_reader(path)) for path in pools) == [8, 12]
    stamps = [
        path.stat().st_mtime_ns for path in (*(pool / "data.mdb" for pool in pools), out / "none-0/last.safetensors")
    ]
    monkeypatch.setattr(RunFolder, "log", log)
    code, printed = bench()
    document = json.loads(printed)
    assert code == 0 and document == json.loads((out / "strategies.json").read_text())
    assert [(one["row"], one["samples"]) for one in document["outcomes"]] == [("none", 16), ("cutmix", 16)]
    assert stamps == [
        path.stat().st_mtime_ns for path in (*(pool / "data.mdb" for pool in pools), out / "none-0/last.safetensors")
    ], "what is done is done again"
    steps = [line["step"] for line in RunFolder(out / "cutmix-0", settings).history() if "loss" in line]
    assert steps == [1, 2, 3, 4] and set(document["rows"][0]["real"]) == {"SVT"}
    assert (out / "strategies.png").stat().st_size > 5000
    assert "| cutmix | bda + cutmix |" in (out / "strategies.md").read_text()
    options[options.index(16)] = 20
    assert bench()[0] == 2, "another budget is another table"
