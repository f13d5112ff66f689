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
        (plain(rendered=[]), r"train\.rendered: \[\] is not of type"),
    ],
)
def test_what_is_wrong_is_named(values, said):
    """One line that names the key and what it takes."""
    with pytest.raises(UserError, match=said):
        from_dict(Config, values)


def test_numbers_as_yaml_writes_them():
    """YAML reads 1e-3 as a string; a rate is meant."""
    assert from_dict(Config, plain(learning_rate="1e-3", clip=5)).train == TrainSpec(learning_rate=1e-3, clip=5.0)


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
    with pytest.raises(UserError, match="--config crn: no such file or configuration; there are: crnn, crnn-attention"):
        load_config("crn")
    assert (CONFIGS / "crnn.yaml").is_file()
