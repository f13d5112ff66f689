"""The smoke test of the stages: what fails is named with its reason, what is done is not done again."""

import json

import pytest

import eval.stages.smoke
from data_tools.errors import UserError
from eval.__main__ import COMMANDS, main
from eval.overfit import WORDS, Overfit


@pytest.fixture
def smoke(monkeypatch, capsys, tmp_path):
    """`--smoke` into a folder, with over-fitting that takes no time: CTC on vgg_global fails."""
    done = []

    def overfit(model, steps, seed):
        if model.name in interrupted:
            raise KeyboardInterrupt
        done.append(model.name)
        if model.extractor.name == "resnet23" and model.refiner.name == "identity":
            raise UserError("they do not fit together")
        bad = model.extractor.name == "vgg_global" and model.generator.name == "ctc"
        return Overfit(model.name, 3 if bad else WORDS, steps, float("nan") if seed == 5 else 0.5)

    interrupted = set()
    monkeypatch.setattr(eval.stages.smoke.overfit, "overfit", overfit)

    def command(*options, stop=()):
        interrupted.clear()
        interrupted.update(stop)
        done.clear()
        code = main("eval", "", COMMANDS, ["stages", "--smoke", "--out", str(tmp_path / "smoke"), *options])
        return code, list(done), *capsys.readouterr()

    return command


def test_the_smoke_test_names_what_fails_and_why(smoke):
    code, done, out, _ = smoke()
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 1 and len(done) == 30
    assert "suits CTC badly" in lines["vgg_global+bilstm+ctc"] and "3/32" in lines["vgg_global+bilstm+ctc"]
    assert "they do not fit together" in lines["resnet23+identity+attention"]
    assert out.splitlines()[-1].startswith("25 of 30 read all their words")


def test_an_interrupted_smoke_test_goes_on(smoke):
    """All thirty take the better part of an hour."""
    code, first, _, _ = smoke(stop={"resnet15+bilstm+ctc"})
    assert code == 130 and len(first) == 12
    code, rest, out, _ = smoke()
    assert len(rest) == 18 and not set(first) & set(rest)
    assert sum("/32" in line for line in out.splitlines()) == 30
    assert len(smoke("--combinations", "light+bilstm+ctc", "--steps", "7")[1]) == 1, "another budget is another test"
    assert not smoke()[1], "and the first is still there"


def test_a_loss_that_is_no_number_is_null_in_json(smoke):
    _, _, out, err = smoke("--seed", "5", "--json", "--combinations", "vgg_global+bilstm+ctc")
    (one,) = json.loads(out)["combinations"]
    assert one["loss"] is None and one["reason"] == "the loss is nan" and "vgg_global" in err
    assert not smoke("--seed", "5", "--combinations", "vgg_global+bilstm+ctc")[1]


def test_a_file_that_is_no_smoke_test_is_not_overwritten(smoke, tmp_path):
    (tmp_path / "smoke").mkdir()
    for content in ("[]", "{", '{"seed": 0, "combinations": [{}]}'):
        (tmp_path / "smoke/smoke.json").write_text(content)
        code, done, _, err = smoke()
        assert code == 2 and not done and "smoke.json" in err and err.count("\n") == 1
        assert (tmp_path / "smoke/smoke.json").read_text() == content
