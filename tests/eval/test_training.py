"""Trainings of a bench, one after another: what an interruption costs, and what may be compared."""

from __future__ import annotations

from argparse import Namespace

import pytest
import yaml

from crnn_jt.spec import to_dict
from data_tools.errors import UserError
from eval import training
from tests.crnn_jt import tiny


@pytest.fixture
def config(tmp_path):
    settings = tiny.config(steps=4, validate_every=4, checkpoint_every=1, schedule="constant")
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(to_dict(settings)))
    return path


@pytest.fixture
def asked(config, tmp_path):
    """Options of a bench that trains on drawn words, what `configure` makes of them."""
    data = str(tiny.write_set(tmp_path / "set", 8))

    def make(**changes):
        from jsonargparse import ArgumentParser

        parser = ArgumentParser()
        training.add_arguments(parser)
        given = vars(parser.get_defaults()) | {"config": str(config), "out": str(tmp_path / "out"), "steps": 4}
        return training.configure(Namespace(**{**given, "train": [data], "val": [data], **changes}))

    return make


def test_a_finished_training_is_not_trained_again_and_an_interrupted_one_goes_on(asked, tmp_path):
    """A bench of hours that was interrupted once."""
    args, config = asked()
    whole, scores = training.train(config, args, tmp_path / "whole")
    losses = [line["loss"] for line in whole.folder.history() if "loss" in line]
    before = (tmp_path / "whole/last.safetensors").read_bytes()
    assert training.train(config, args, tmp_path / "whole")[1] == scores and len(losses) == 4
    assert (tmp_path / "whole/last.safetensors").read_bytes() == before

    args, shorter = asked(steps=2)
    training.train(shorter, args, tmp_path / "cut")
    trainer, _ = training.train(config, args, tmp_path / "cut")
    assert [line["loss"] for line in trainer.folder.history() if "loss" in line] == losses


def test_a_training_killed_before_its_first_checkpoint_begins_anew(asked, tmp_path):
    """Else its few lines of losses would keep the bench from ever going on."""
    args, config = asked()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/metrics.jsonl").write_text('{"step": 1, "loss": 99.0}\n')
    trainer, _ = training.train(config, args, tmp_path / "run")
    assert [line["step"] for line in trainer.folder.history() if "loss" in line] == [1, 2, 3, 4]


def test_trainings_of_other_settings_are_not_mixed(asked, tmp_path):
    """A table whose rows had different budgets, seeds or starting weights would compare nothing."""
    out = tmp_path / "out"
    training.record_settings(out, *asked(init=None))
    training.record_settings(out, *asked(init=None))
    training.record_settings(out, *asked(init=None, workers=3))
    for changes, named in (
        ({"steps": 5}, "train.steps was 4, is 5"),
        ({"seed": 1}, "train.seed was 0, is 1"),
        ({"init": "crnn-light"}, "init was '', is 'crnn-light'"),
        ({"fonts": "mine"}, "data.recipe"),
        ({"minutes": 2.0}, "minutes was 0.0, is 2.0"),
    ):
        with pytest.raises(UserError, match=named):
            training.record_settings(out, *asked(**{"init": None, **changes}))


@pytest.mark.parametrize("content", ["", "[1]", "\xff"])
def test_settings_that_cannot_be_read_are_one_line(content, asked, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/settings.json").write_text(content, "latin-1")
    with pytest.raises(UserError, match=r"settings\.json"):
        training.record_settings(tmp_path / "out", *asked(init=None))


def test_a_folder_of_other_runs_is_left_alone(asked, tmp_path):
    (tmp_path / "out/default").mkdir(parents=True)
    (tmp_path / "out/default/metrics.jsonl").write_text("")
    with pytest.raises(UserError, match="runs of something else"):
        training.record_settings(tmp_path / "out", *asked(init=None))
    assert (tmp_path / "out/default/metrics.jsonl").exists()


def test_one_that_fails_does_not_stop_the_others_and_all_failing_is_said_once():
    reported = []

    def train_one(name):
        if name.startswith("bad"):
            raise UserError("--fonts x: no such folder")
        return name

    outcomes, problems = training.train_each(["a", "bad", "b"], train_one, lambda *told: reported.append(told))
    assert outcomes == ["a", "b"] and problems == ["bad: --fonts x: no such folder"] and len(reported) == 3
    with pytest.raises(UserError) as caught:
        training.train_each(["bad1", "bad2"], train_one, lambda *_: None)
    assert str(caught.value) == "--fonts x: no such folder"
