"""Training as a library: what a configuration is made of, and what a resumed run may be told anew."""

from __future__ import annotations

import pytest
import yaml

from crnn_jt.spec import load_config, to_dict
from crnn_jt.training import TrainOptions, configure, configure_resumed, open_training, open_validation
from data_tools.errors import UserError
from tests.crnn_jt import tiny


@pytest.fixture
def run(tmp_path):
    """A run folder as `assemble` leaves it: its spec.yaml."""
    config = configure("crnn-light", {"train": {"seed": 7, "steps": 100}, "data": {"train": ("words.lmdb",)}})
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(to_dict(config)))
    return tmp_path


def test_a_change_of_the_recipe_is_merged_into_it():
    """--fonts must not throw away what the configuration says of rendering."""
    config = configure("crnn-light", {"data": {"recipe": {"fonts": ["mine"]}}})
    assert config.data.recipe == {"ease_in": 100000, "fonts": ["mine"]}


def test_a_resumed_run_is_the_run_that_was_begun(run):
    """Without its options: seed, data and recipe come from the run, not from the configuration's defaults."""
    config = configure_resumed(run, "", {})
    assert (config.train.seed, config.train.steps, config.data.train) == (7, 100, ("words.lmdb",))
    assert configure_resumed(run, "crnn-light", {"train": {"seed": 7}}) == config


def test_what_a_configuration_has_otherwise_is_said(run, caplog):
    """A YAML file that was edited since the run began changes nothing of it, and that is no secret."""
    with caplog.at_level("INFO"):
        configure_resumed(run, "crnn-light", {})
    assert (
        "goes on as it was begun, not as --config crnn-light has it: train.steps, train.seed, data.train" in caplog.text
    )


def test_length_workers_and_validation_may_be_said_anew(run):
    changes = {"train": {"steps": 200, "workers": 2}, "data": {"val": ("other",)}}
    config = configure_resumed(run, "", changes)
    assert (config.train.steps, config.train.workers, config.data.val) == (200, 2, ("other",))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("", {"train": {"seed": 8}}, r"was begun with train\.seed 7, not 8; leave the option out"),
        ("", {"train": {"batch_size": 3}}, r"train\.batch_size 128, not 3"),
        ("", {"data": {"train": ("b.lmdb",)}}, r"data\.train \('words\.lmdb',\), not \('b\.lmdb',\)"),
        ("", {"data": {"recipe": {"fonts": ["mine"]}}}, r"data\.recipe"),
        ("crnn", {}, "was written with another model or optimiser than --config names"),
    ],
)
def test_what_would_make_it_another_run_is_refused_by_name(run, name, changes, said):
    with pytest.raises(UserError, match=said):
        configure_resumed(run, name, changes)


def test_a_run_of_an_earlier_version_goes_on_with_the_data_it_is_given(run):
    """Its spec.yaml does not say what it learnt from: the options do, as they did."""
    old = to_dict(load_config("crnn-light"))
    old["train"]["rendered"] = old.pop("data")["recipe"]
    (run / "spec.yaml").write_text(yaml.safe_dump(old))
    assert configure_resumed(run, "", {"data": {"train": ("words.lmdb",)}}).data.train == ("words.lmdb",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_spec_that_an_editor_saved_is_read(encoding, run):
    """On Windows with a byte order mark and other line ends."""
    text = (run / "spec.yaml").read_text().replace("\n", "\r\n")
    (run / "spec.yaml").write_bytes(text.encode(encoding))
    assert configure_resumed(run, "", {}).train.seed == 7


@pytest.mark.parametrize("text", ["", "- a", "model: {", "data: null", "\0"])
def test_a_spec_that_is_none_is_one_line(text, run):
    (run / "spec.yaml").write_text(text)
    with pytest.raises(UserError, match=r"spec\.yaml: "):
        configure_resumed(run, "", {})


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--resume: no .*spec\.yaml; start the run without --resume"):
        configure_resumed(tmp_path, "", {})


def test_what_is_rendered_follows_from_model_and_recipe():
    """Words for words, incipits in the model's frame for music; validation is another seed, and is not eased."""
    words = load_config("crnn-light")
    assert open_training(words).recipe.ease_in == 100000 and open_validation(words).recipe.ease_in == 0
    assert open_training(words).seed != open_validation(words).seed
    music = open_training(load_config("omr-light"))
    assert (music.recipe.frame, music.recipe.encoding) == ("staff", "semantic")


@pytest.mark.parametrize("options", [{"device": "tpu"}, {"minutes": -1.0}])
def test_options_are_checked_before_anything_is_built(options, tmp_path):
    with pytest.raises(UserError, match=f"--{next(iter(options))}"):
        TrainOptions(tmp_path, **options)


def test_named_weights_of_another_kind_are_refused(tmp_path):
    """`read` with a model that is no recogniser says so."""
    from crnn_jt.backend import state
    from crnn_jt.models import build
    from crnn_jt.reading import SequenceReader
    from crnn_jt.weights import Weights
    from tests.crnn_jt.toy import ToySpec

    weights = Weights(state(build(ToySpec("toy"))), ToySpec("toy"))
    with pytest.raises(UserError, match="toy-weights: is a toy, not a recognizer"):
        SequenceReader(weights, "toy-weights")
    assert tiny.model().kind == "recognizer"
