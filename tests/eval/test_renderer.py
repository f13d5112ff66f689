"""The renderer bench without its training (test_training.py has that): variants, mistakes, table."""

from dataclasses import replace

import pytest

from crnn_jt.spec import load_config
from data_tools.cli import main
from data_tools.errors import UserError
from data_tools.words import Recipe
from eval.__main__ import COMMANDS
from eval.renderer import VARIANTS, Outcome, chosen, table, varied


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_recipe_that_differs(variant):
    config = load_config("crnn-light")
    config = replace(config, train=replace(config.train, rendered={"ease_in": 5}))
    found = Recipe(**varied(config, variant).train.rendered)
    assert (found == Recipe(ease_in=5)) == (variant == "default")


def test_what_the_user_gave_stays_unless_the_variant_changes_it():
    config = load_config("crnn-light")
    config = replace(config, train=replace(config.train, rendered={"fonts": ["mine"], "blur": 0.1}))
    assert varied(config, "no-faces").train.rendered["fonts"] == ["mine"]
    assert varied(config, "bundled-fonts").train.rendered["fonts"] == []


@pytest.mark.parametrize("names", ["", "default,nothing", " , "])
def test_unknown_variants_are_named_before_hours_of_training(names):
    with pytest.raises(UserError, match="--variants"):
        chosen(names)


def test_the_table_counts_from_the_first_variant():
    outcomes = [
        Outcome("default", 50.0, {"SVT": 40.0, "IC03": 60.0}, {}, 10),
        Outcome("bare", 30.5, {"SVT": 20.0, "IC03": 41.0}, {}, 10),
    ]
    lines = table(outcomes)
    assert lines[0].split() == ["variant", "SVT", "IC03", "all", "change"]
    assert lines[2].split() == ["bare", "20.0", "41.0", "30.5", "-19.5"]


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
