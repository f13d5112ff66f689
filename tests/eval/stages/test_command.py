"""`python -m eval stages`: what is asked for is what is trained, and what cannot be does not stop the rest."""

import json
from argparse import Namespace

import pytest

import eval.stages.bench
from data_tools.errors import UserError
from eval.__main__ import COMMANDS, main
from eval.stages.bench import PUBLISHED, Outcome


@pytest.fixture
def stages(monkeypatch, capsys, tmp_path):
    trained = []

    def train(config, args: Namespace, folder):
        if config.model.extractor.name == "missing":
            raise UserError("extractor: no 'missing'")
        trained.append((config.model.name, config.train.steps, config.train.batch_size, folder.name))
        return Outcome(config.model.name, 1234567, 1.5, 80.0, 90.0, 640, 55.5)

    monkeypatch.setattr(eval.stages.bench, "train", train)

    def command(*options):
        code = main("eval", "", COMMANDS, ["stages", "--out", str(tmp_path), *options])
        return code, trained, *capsys.readouterr()

    return command


def test_the_five_of_table_2_are_trained_alike_and_stand_with_the_published(stages):
    code, trained, out, _ = stages("--steps", "7", "--batch-size", "16")
    assert code == 0
    assert [one[0] for one in trained] == list(PUBLISHED)
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
        (("--smoke", "--steps", "0"), "--steps is 0"),
        (("--smoke", "--seed", "-1"), "--seed is -1"),
        (("--smoke", "--combinations", "vgg+ctc"), "--combinations vgg+ctc"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(stages, options, said):
    code, trained, _, err = stages(*options)
    assert code == 2 and not trained
    assert said in err.strip().splitlines()[-1] and "Traceback" not in err
