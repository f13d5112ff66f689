"""`python -m eval search`: fair candidates, and a small comparison that is cut and goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from crnn_jt.models import build
from crnn_jt.reading import load
from crnn_jt.sources import SOURCES
from crnn_jt.spec import StageSpec, load_config, to_dict
from data_tools.cli import main
from eval.__main__ import COMMANDS
from eval.search.bench import Row
from eval.search.candidates import NEAR, cost_of, draw_random, list_candidates
from eval.search.report import make_rows, say_who_won
from eval.stages import bench as stages
from eval.stages.bench import Outcome
from tests.crnn_jt import tiny


def row(name: str, kind: str, accuracy: float | None, rendered: float = 50.0) -> Row:
    sets = {} if accuracy is None else {"SVT": accuracy}
    return Row(name, kind, 0, rendered, accuracy, sets, 100.0, 1000, 10.0, 64)


def test_random_ones_cost_what_the_published_one_does():
    """Else they would lose, or win, for their size."""
    config = load_config("autostr-light")
    goal = cost_of(config.model)
    drawn = draw_random(config, 10, seed=1)
    costs = [cost_of(replace(config.model, extractor=one)) for one in drawn]
    assert all(abs(cost / goal - 1) <= NEAR for cost in costs)
    assert len({tuple(one.options["operations"]) for one in drawn}) == 10
    assert drawn == draw_random(config, 10, seed=1) != draw_random(config, 10, seed=2)


def test_the_candidates_of_the_issue_are_there(tmp_path):
    config = load_config("autostr-light")
    found = tmp_path / "found.yaml"
    found.write_text(yaml.safe_dump(to_dict(config)))
    names = [one.name for one in list_candidates(config, [f"flops={found}"], 2, 0)]
    assert names[0] == "searched-flops" and names[-2:] == ["random-1", "random-2"]
    assert {f"{kind}-{path}" for kind in ("published", "k5e6", "residual") for path in ("ABABB", "AABBB")} < set(names)
    assert {"aster", "resnet23", "light", "darts", "darts-second", "auto-deeplab", "auto-deeplab-path"} < set(names)


def test_what_other_searches_found_is_as_wide_as_the_configuration_and_costs_less_than_the_budget():
    """Of 32x100, as AutoSTR compares them: 25 steps, below 450 M multiply-adds."""
    config = load_config("autostr")
    by_name = {one.name: one for one in list_candidates(config, [], 0, 0)}
    for name, cost in {"darts": 62, "darts-second": 65, "auto-deeplab": 198, "auto-deeplab-path": 414}.items():
        model = replace(config.model, extractor=by_name[name].extractor)
        assert round(cost_of(model) / 1e6) == cost
        assert by_name[name].kind == "published" and build(model).steps(256) == 25
    light = {one.name: one for one in list_candidates(load_config("autostr-light"), [], 0, 0)}
    assert all(light[name].extractor.options["width"] == 0.75 for name in ("darts", "auto-deeplab-path", "aster"))


def test_the_best_stands_first_and_a_random_winner_is_named():
    rows = [row("searched-flops", "searched", 60.0), row("random-3", "random", 61.5), row("light", "hand-made", 40.0)]
    assert [line[0] for line in make_rows(rows)[1:]] == ["random-3", "searched-flops", "light"]
    assert say_who_won(rows) == (
        "searched-flops 60.0; 1 random ones 61.5 in the mean, 61.5 at best (random-3): drawing wins"
    )
    assert say_who_won(rows[1:]) == ""


@pytest.fixture
def config(tmp_path):
    """Five layers of AutoSTR's space, so narrow that they compile quickly."""
    model = tiny.model(characters="0123456789abcdefghijklmnopqrstuvwxyz", max_length=8)
    extractor = StageSpec("autostr", {"operations": ["k3e1"] * 5, "width": 0.0625})
    given = tiny.config(replace(model, extractor=extractor), checkpoint_every=1, log_every=1)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(to_dict(given)))
    return tmp_path / "tiny.yaml"


def test_a_comparison_that_was_cut_goes_on_and_keeps_its_rows(config, tmp_path, capsys, monkeypatch):
    """The real thing, four steps each: cut in the second backbone, then finished."""
    from crnn_jt.checkpoint import RunFolder

    monkeypatch.setitem(SOURCES, "words", replace(SOURCES["words"], validation=8))
    root = tiny.write_set(tmp_path / "root/SVT", 4).parent
    words = ["search", "--root", root, "--out", tmp_path / "out", "--config", config]
    words += ["--samples", 16, "--only", "random-1,random-2", "--random", 2, "--json"]

    def bench():
        code = main("eval", "", COMMANDS, [str(word) for word in words])
        return code, capsys.readouterr().out

    log = RunFolder.log

    def interrupted(run, **values):
        log(run, **values)
        if run.path.parent.name == "random-2" and run.progress.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "log", interrupted)
    assert bench() == (130, "")
    assert len(json.loads((tmp_path / "out/search.json").read_text())["backbones"]) == 1
    kept = (tmp_path / "out/random-1/seed-0/row.json").stat().st_mtime_ns
    monkeypatch.setattr(RunFolder, "log", log)
    code, out = bench()
    document = json.loads(out)
    assert code == 0 and document == json.loads((tmp_path / "out/search.json").read_text())
    assert [(one["name"], one["kind"], one["samples"]) for one in document["backbones"]] == [
        ("random-1", "random", 16),
        ("random-2", "random", 16),
    ]
    assert all(one["images_per_s"] > 0 and "SVT" in one["sets"] for one in document["backbones"])
    assert (tmp_path / "out/random-1/seed-0/row.json").stat().st_mtime_ns == kept
    assert (tmp_path / "out/search.png").stat().st_size > 1000
    assert (tmp_path / "out/search.md").read_text().startswith("| backbone | from | seed | rendered | all | SVT |")


def test_cells_of_other_searches_are_trained_and_read_on_the_kernels(config, tmp_path, capsys, monkeypatch):
    """Two steps each, at a sixteenth of the width; a layer without a kernel would make a row's rate a lie."""
    monkeypatch.setitem(SOURCES, "words", replace(SOURCES["words"], validation=4))
    words = ["search", "--out", tmp_path / "out", "--config", config, "--samples", 8, "--random", 0, "--json"]
    names = ["darts", "auto-deeplab"]
    assert main("eval", "", COMMANDS, [str(word) for word in (*words, "--only", ",".join(names))]) == 0
    rows = json.loads(capsys.readouterr().out)["backbones"]
    assert [(one["name"], one["kind"], one["samples"]) for one in rows] == [(name, "published", 8) for name in names]
    assert all(load(tmp_path / f"out/{name}/seed-0/last.safetensors").network is not None for name in names)


def test_the_five_of_table_2_are_a_second_table_at_the_same_budget(config, tmp_path, capsys, monkeypatch):
    trained = []

    def train(config, options, folder):
        trained.append((config.model.name, config.train.steps, folder.name))
        return Outcome(config.model.name, 1234567, 1.5, 80.0, 90.0, 16, 55.5)

    monkeypatch.setattr(stages, "train", train)
    words = ["search", "--out", tmp_path / "out", "--config", config, "--tables", "combinations", "--samples", 16]
    assert main("eval", "", COMMANDS, [str(word) for word in (*words, "--stages-config", config)]) == 0
    assert trained == [(name, 4, name) for name in stages.PUBLISHED]
    assert (
        "97.60" in capsys.readouterr().out
        and "| resnet23+ctc | 80.00 | 97.60 |" in (tmp_path / "out/search.md").read_text()
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--samples", "1"], "--out"),
        (["--out", "x", "--only", "odd"], "--only odd: there are: published-ABABB"),
        (["--out", "x", "--searched", "found.yaml"], "it takes NAME=FILE"),
        (["--out", "x", "--searched", "a=gone.yaml"], "gone.yaml"),
        (["--out", "x", "--config", "crnn-light"], "its extractor is light"),
        (["--out", "x", "--samples", "0"], "--samples"),
        (["--out", "x", "--tables", "chairs"], "--tables chairs"),
    ],
)
def test_a_mistake_is_one_line(options, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main("eval", "", COMMANDS, ["search", *options]) == 2
    out, err = capsys.readouterr()
    assert not out and said in err and "Traceback" not in err
