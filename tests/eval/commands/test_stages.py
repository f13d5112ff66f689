"""`python -m eval stages`: what is asked for is what is trained, and what cannot be does not stop the rest."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest

import eval.stages
from crnn_jt.spec import StageSpec, load_config
from data_tools.errors import UserError
from eval.__main__ import COMMANDS, main
from eval.overfit import WORDS, Overfit, combinations
from eval.stages import Outcome, budget, combined


def test_a_combination_replaces_stages_and_keeps_the_options_of_those_that_stay():
    config = load_config("crnn")
    same = combined(config, "vgg+ctc", 1.0)
    assert (same.model.extractor, same.model.refiner) == (config.model.extractor, config.model.refiner)
    other = combined(config, "resnet15+identity+attention", 0.5).model
    assert other.extractor == StageSpec("resnet15", {"width": 0.5})
    assert (other.refiner, other.generator) == (StageSpec("identity"), StageSpec("attention"))
    assert other.image == replace(config.model.image, resize="fixed")


@pytest.mark.parametrize("combination", ["ctc", "a+b+c+d", "vgg+"])
def test_half_a_combination_is_refused(combination):
    with pytest.raises(UserError, match="--combinations"):
        combined(load_config("crnn"), combination, 1.0)


@pytest.fixture
def stages(monkeypatch, capsys, tmp_path):
    trained = []

    def train(config, args: Namespace, folder):
        if config.model.extractor.name == "missing":
            raise UserError("extractor: no 'missing'")
        trained.append((config.model.name, config.train.steps, config.train.batch_size, folder.name))
        return Outcome(config.model.name, 1234567, 1.5, 80.0, 90.0, 640, 55.5)

    monkeypatch.setattr(eval.stages, "train", train)

    def command(*options):
        code = main("eval", "", COMMANDS, ["stages", "--out", str(tmp_path), *options])
        return code, trained, *capsys.readouterr()

    return command


def test_the_five_of_table_2_are_trained_alike_and_stand_beside_the_published(stages):
    code, trained, out, _ = stages("--steps", "7", "--batch-size", "16")
    assert code == 0
    assert [one[0] for one in trained] == list(eval.stages.PUBLISHED)
    assert {one[1:3] for one in trained} == {(7, 16)}
    line = next(line for line in out.splitlines() if line.startswith("resnet23+ctc"))
    assert line.split() == ["resnet23+ctc", "80.00", "97.60", "90.0", "1.500", "1,234,567", "55.5"]


def test_what_is_done_is_on_disk_before_the_rest(stages, tmp_path):
    """Five trainings take hours; figures of the first four survive what happens to the fifth."""
    stages("--steps", "7", "--combinations", "light+ctc,missing+ctc")
    told = json.loads((tmp_path / "stages.json").read_text())
    assert [one["combination"] for one in told["combinations"]] == ["light+ctc"] and len(told["problems"]) == 1
    lines = (tmp_path / "stages.md").read_text().splitlines()
    assert lines[0].startswith("| combination | accuracy | published |") and lines[2].startswith(
        "| light+ctc | 80.00 | - "
    )


def test_a_combination_that_cannot_be_built_is_named_and_the_rest_is_trained(stages):
    code, trained, out, _ = stages("--steps", "7", "--json", "--combinations", "missing+ctc,light+ctc")
    document = json.loads(out)
    assert code == 1
    assert [one["combination"] for one in document["combinations"]] == ["light+ctc"]
    assert document["problems"] == ["missing+ctc: extractor: no 'missing'"]
    assert [one[0] for one in trained] == ["light+ctc"]


@pytest.mark.parametrize(
    "options, said",
    [
        ((), "--steps or --minutes"),
        (("--steps", "1", "--config", "no"), "--config no"),
        (("--steps", "0"), "train.steps: 0"),
        (("--steps", "1", "--out", ""), "--out"),
        (("--steps", "1", "--device", "tpu"), "--device tpu"),
        (("--steps", "1", "--combinations", " , "), "--combinations"),
        (("--steps", "1", "--combinations", "vgg"), "--combinations vgg"),
        (("--minutes", "-1"), "--minutes -1"),
        (("--minutes", "soon"), "minutes"),
        (("--smoke", "--steps", "0"), "--steps 0"),
        (("--smoke", "--seed", "-1"), "--seed -1"),
        (("--smoke", "--combinations", "vgg+ctc"), "--combinations vgg+ctc"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(stages, options, said):
    code, trained, _, err = stages(*options)
    assert code == 2 and not trained
    assert said in err.strip().splitlines()[-1] and "Traceback" not in err


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
    monkeypatch.setattr(eval.stages.overfit, "overfit", overfit)

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


def test_slow_learners_get_more_steps():
    """A decoder that learns its own alignment, and stages without a refiner, need more."""
    steps = {model.name: budget(model) for model in combinations()}
    assert steps["vgg+bilstm+ctc"] < steps["vgg+bilstm+attention"] < steps["vgg+identity+attention"]
