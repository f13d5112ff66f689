"""`python -m eval resolution`: what is trained on what, what is measured how, and that both are kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

import eval.resolution.bench
from crnn_jt.spec import Config, StageSpec, to_dict
from crnn_jt.training import TrainOptions
from data_tools.readers import open_reader
from eval import training
from eval.__main__ import COMMANDS, main
from eval.resolution.bench import Figures, Suite, measure_row
from eval.resolution.plan import Row, list_rows
from tests.crnn_jt import tiny


def configurations(folder) -> tuple[Config, Config]:
    """A tiny spotter's and a tiny selector's, as files too."""
    spotter = Config(tiny.spotter(), tiny.config(tiny.spotter(), batch_size=4).train, task=StageSpec("spotting"))
    selector = replace(spotter, model=tiny.selector(), task=StageSpec("selection", {"epoch": 7}))
    for name, config in (("spotter", spotter), ("selector", selector)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(to_dict(config)))
    return spotter, selector


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """The bench on tiny configurations, with what was trained and measured; nothing really is."""
    trained, measured = [], []
    configurations(tmp_path)

    def train(config, options, folder):
        trained.append((folder.name, options.init, config.task, config.train.steps))

    def measure(suite, row, data):
        measured.append(row.name)
        return Figures(row.name, 90.0, 80.0, 70.0, 1.5, 40.0, {"1.00": 100.0})

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(eval.resolution.bench, "measure_row", measure)
    data = tiny.write_photos(tmp_path / "set", 3)

    def run(*more):
        line = ["resolution", "--out", tmp_path / "out", "--config", tmp_path / "spotter.yaml", "--data", data]
        line += ["--selector-config", tmp_path / "selector.yaml", "--scales", "0.5,1.0", *more]
        code = main("eval", "", COMMANDS, [str(word) for word in line])
        return code, trained, measured, *capsys.readouterr()

    return run


def test_each_learns_from_the_one_before_it(command, tmp_path):
    """Students from the teacher's weights, selectors for a student; the budget is in photographs."""
    code, trained, measured, out, _ = command("--samples", "10", "--gammas", "0.1,0.3")
    teacher = str(tmp_path / "out" / "teacher" / "last.safetensors")
    assert code == 0 and [name for name, *_ in trained[:4]] == ["teacher", "multi-scale", "logits", "sequences"]
    assert {steps for *_, steps in trained} == {3}
    for _, init, task, _ in trained[1:4]:
        assert init == task.options["teacher"] == teacher and task.options["scales"] == [0.5, 1.0]
    assert [task.options["by"] for _, _, task, _ in trained[1:4]] == ["none", "logits", "sequences"]
    alone, both = trained[4][2].options, trained[7][2].options
    assert alone["student"] == teacher and both["student"].endswith("sequences/last.safetensors")
    assert (alone["gamma"], both["gamma"], both["teacher"], both["epoch"]) == (0.1, 0.3, teacher, 7)
    assert len(measured) == 2 + 3 * 2 + 4 and "published: gamma 0.1 (IC15, general lexicon, GFLOPs)" in out


def test_what_is_measured_is_not_measured_again(command, tmp_path):
    """Nor is what was kept lost; rows of other photographs are not mixed in."""
    command("--samples", "4", "--gammas", "0.1")
    kept = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert len(kept["rows"]) == len(list_rows([0.5, 1.0], [0.1])) and len(kept["published"]) == 3
    kept["rows"] = kept["rows"][:-1]
    (tmp_path / "out" / "rows.json").write_text(json.dumps(kept))
    _, _, measured, _, _ = command("--samples", "4", "--gammas", "0.1", "--plot", tmp_path / "curve.png")
    assert measured[-1:] == ["selector and sequences, gamma 0.1"] and len(measured) == len(kept["rows"]) + 2
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert "| teacher, 1 | 90.0 | 80.0 | 70.0 | 1.50 | 40 | 25.0 |" in (tmp_path / "out" / "rows.md").read_text()
    _, _, measured, _, _ = command("--samples", "4", "--gammas", "0.1", "--photos", "2")
    assert len(measured) == 2 * len(kept["rows"]) + 3


@pytest.mark.parametrize(
    "options, said",
    [
        (("--samples", "0"), "--samples"),
        (("--samples", "4", "--scales", "0,2"), "--scales 0,2"),
        (("--samples", "4", "--gammas", "much"), "--gammas much"),
        (("--samples", "4", "--selector-config", "crnn-light"), "is a recognizer, not a selector"),
        (("--samples", "4", "--plot", "curve.gif"), "--plot curve.gif"),
    ],
)
def test_mistakes_are_named_in_one_line(command, options, said):
    code, trained, _, _, err = command(*options)
    assert code == 2 and said in err.strip().splitlines()[-1] and not trained


def test_photographs_are_read_at_the_scale_of_the_row(tmp_path):
    """Half the size is a quarter of the multiply-adds of finding; a selector's own are counted; time is measured."""
    spotter, selector = configurations(tmp_path)
    teacher = tmp_path / "teacher.safetensors"
    tiny.write_weights(teacher, tiny.spotter())
    options = TrainOptions(tmp_path)
    suite = Suite(spotter, selector, options, tmp_path, teacher, [0.5, 1.0], [0.1])
    tiny.write_weights(suite.selector_of("chooser"), tiny.selector())
    data = open_reader(tiny.write_photos(tmp_path / "set", 3))
    whole, half = (measure_row(suite, Row("teacher", scale), data) for scale in (1.0, 0.5))
    assert whole.scales == {"1.00": 100.0} and half.scales == {"0.50": 100.0}
    assert half.giga == pytest.approx(whole.giga / 4) and whole.ms > 0
    chosen = measure_row(suite, Row("teacher", selector="chooser"), data)
    each = {"1.00": whole.giga, "0.50": half.giga}
    assert sum(chosen.scales.values()) == pytest.approx(100)
    assert chosen.giga > sum(share / 100 * each[scale] for scale, share in chosen.scales.items())
