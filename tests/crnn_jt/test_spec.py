"""Specs: a misspelt key must not train the wrong model for a day."""

from __future__ import annotations

import json

import pytest
import yaml

from crnn_jt.spec import CONFIGS, Config, TrainSpec, config_names, from_dict, load_config, to_dict
from data_tools.errors import UserError

STAGES = {"extractor": {"name": "light"}, "refiner": {"name": "identity"}, "generator": {"name": "ctc"}}


def plain(model=None, **train) -> dict:
    return {"model": {"name": "m", **STAGES, **(model or {})}, "train": train}


@pytest.mark.parametrize("name", config_names())
def test_every_configuration_that_ships_is_valid_and_survives_json(name):
    """What --config names must load, and come back the same from a checkpoint's metadata."""
    config = load_config(name)
    assert config.model.name == name
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config
    assert from_dict(Config, yaml.safe_load(yaml.safe_dump(to_dict(config)))) == config


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"modell": {}}, "modell: unknown key; there are: model, train"),
        ({}, "model: missing"),
        (plain({"nam": "x"}), r"model\.nam: unknown key"),
        (plain({"image": {"heigth": 32}}), r"model\.image\.heigth: unknown key; there are: channels, height"),
        (plain({"image": {"height": "tall"}}), r"model\.image\.height: 'tall' is not of type int"),
        (plain({"image": {"height": 32.5}}), r"model\.image\.height: 32\.5 is not of type int"),
        (plain({"image": {"height": 0}}), r"image\.height: 0; it takes 1 or more"),
        (plain({"image": {"width": 10**9}}), r"image\.width: 1000000000; it takes 16384 at most"),
        (plain({"image": {"channels": 2}}), r"image\.channels: 2; it takes 1 or 3"),
        (plain({"image": {"resize": "crop"}}), r"image\.resize: 'crop'; it takes fixed or proportional"),
        (plain({"image": {"min_width": 90, "max_width": 80}}), r"image\.min_width 90 is above image\.max_width 80"),
        (plain({"image": None}), r"model\.image: None is no mapping"),
        (plain({"labels": {"characters": "aba"}}), r"labels\.characters: a character stands there twice"),
        (plain({"labels": {"characters": ""}}), "labels: name either characters or a vocabulary"),
        (plain({"labels": {"vocabulary": "semantic"}}), "labels: name either characters or a vocabulary"),
        (plain({"labels": {"outside": "ignore"}}), r"labels\.outside: 'ignore'; it takes refuse or drop-character"),
        (plain({"labels": {"max_length": 10**9}}), r"labels\.max_length: 1000000000; it takes 16384 at most"),
        (plain({"extractor": {"width": 1}}), r"model\.extractor\.name: missing"),
        (plain({"extractor": "light"}), r"model\.extractor: 'light' is no mapping"),
        (plain(optimizer="adamm"), r"train\.optimizer: 'adamm'; it takes adam or adamw"),
        (plain(schedule="linear"), r"train\.schedule: 'linear'"),
        (plain(steps=0), r"train\.steps: 0; it takes 1 or more"),
        (plain(steps=True), r"train\.steps: True is not of type int"),
        (plain(learning_rate=-1), r"train\.learning_rate: -1\.0; it takes 0 or more"),
        (plain(learning_rate=float("nan")), r"train\.learning_rate: nan is not of type float"),
        (plain(betas=[0.9, 1.0]), r"train\.betas: 1\.0; it takes 0 or more, below 1"),
        (plain(betas=[0.9]), r"train\.betas: \[0\.9\] is not of type"),
        (plain(ema=1.0), r"train\.ema: 1\.0; it takes 0 or more, below 1"),
        (plain(groups={"gates": {"rate": 1}}), r"train\.groups\.gates\.rate: unknown key; there are: optimizer"),
        (plain(groups={"gates": {"optimizer": "lion"}}), r"optimizer of a group: 'lion'; it takes adam or"),
        (plain({"kind": "oracle"}), r"model\.kind: 'oracle'; there are: .*recognizer"),
        (plain({"image": {"frame": "page"}}), r"image\.frame: 'page'; it takes  or staff or ink"),
        (plain() | {"data": {"recipe": []}}, r"data\.recipe: \[\] is not of type"),
        (
            plain() | {"data": {"kind": "scenery"}},
            r"data\.kind: 'scenery'; it takes words or lines or scenes or scores",
        ),
        (plain() | {"data": {"recipe": {"strenght": 1.0}}}, r"data\.recipe\.strenght: unknown key"),
        (plain() | {"data": {"kind": "scores", "recipe": {"even": "very"}}}, r"data\.recipe\.even: 'very' is not of"),
        (plain() | {"task": {"kinship": 1.0}}, r"task\.name: missing"),
    ],
)
def test_what_is_wrong_is_named(values, said):
    """One line that names the key and what it takes."""
    with pytest.raises(UserError, match=said):
        from_dict(Config, values)


def test_numbers_as_yaml_writes_them():
    """YAML reads 1e-3 as a string; a rate is meant."""
    assert from_dict(Config, plain(learning_rate="1e-3", clip=5)).train == TrainSpec(learning_rate=1e-3, clip=5.0)


def test_files_of_earlier_versions_mean_what_they_meant():
    """A run begun before recipes had a section of their own goes on; so do models that did not say their frame."""
    labels = {"characters": "", "vocabulary": "semantic"}
    model = {"labels": labels, "extractor": {"name": "staff_light"}}
    old = from_dict(Config, plain(model, rendered={"camera": 0.5}, kinship=1))
    assert (old.data.kind, old.data.recipe, old.model.image.frame) == ("scores", {"camera": 0.5}, "staff")
    assert (old.task.name, old.task.options) == ("recognition", {"kinship": 1})
    assert from_dict(Config, plain({"labels": labels})).model.image.frame == "ink"
    words = from_dict(Config, plain(rendered={"strength": 0.5}, kinship=0.0))
    assert (words.data.kind, words.task, words.model.image.frame) == ("words", None, "")


@pytest.mark.parametrize(
    "content",
    [b"", b"[1, 2]", b"model: {", b"\xff\xfe\x00", b"model: 2024-13-45", b"!!python/object/apply:os.system ['true']"],
)
def test_a_file_that_is_no_configuration_is_one_line(content, tmp_path):
    """Empty, cut off, binary, an impossible date, code: the file is named, nothing is run."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.yaml: ") as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_none_lists_those_there_are():
    """--config crn: the names that would work."""
    with pytest.raises(UserError, match=r"--config crn: no such file .*; there are: abinet, .*crnn, crnn-attention"):
        load_config("crn")
    assert (CONFIGS / "crnn.yaml").is_file()
