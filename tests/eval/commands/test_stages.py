"""`python -m eval stages`: what is asked for is what is trained, and what cannot be does not stop the rest."""

import json
from argparse import Namespace

import pytest

import eval.stages
from crnn_jt.spec import StageSpec, load_config
from data_tools.errors import UserError
from eval.__main__ import COMMANDS, main
from eval.stages import Outcome, combined


def test_a_combination_replaces_stages_and_keeps_the_options_of_those_that_stay():
    config = load_config("crnn")
    same = combined(config, "vgg+ctc", 1.0)
    assert (same.model.extractor, same.model.refiner) == (config.model.extractor, config.model.refiner)
    other = combined(config, "resnet15+identity+attention", 0.5).model
    assert other.extractor == StageSpec("resnet15", {"width": 0.5})
    assert (other.refiner, other.generator) == (StageSpec("identity"), StageSpec("attention"))
    assert other.image == config.model.image


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


def test_a_combination_that_cannot_be_built_is_named_and_the_rest_is_trained(stages):
    code, trained, out, _ = stages("--steps", "7", "--json", "--combinations", "missing+ctc,light+ctc")
    document = json.loads(out)
    assert code == 1
    assert [one["combination"] for one in document["combinations"]] == ["light+ctc"]
    assert document["problems"] == ["missing+ctc: extractor: no 'missing'"]
    assert [one[0] for one in trained] == ["light+ctc"]


@pytest.mark.parametrize(
    "options, said", [((), "--steps or --minutes"), (("--steps", "1", "--config", "no"), "--config no")]
)
def test_a_mistake_is_one_line_and_exit_code_2(stages, options, said):
    code, _, _, err = stages(*options)
    assert code == 2
    assert said in err and len(err.strip().splitlines()) == 1
