"""Stages by name: what a spec asks for is what is built, or the reason why not."""

from __future__ import annotations

import pytest

import crnn_jt.models  # noqa: F401  (registers the stages)
from crnn_jt.registry import EXTRACTORS, GENERATORS, REFINERS, Registry
from data_tools.errors import UserError


def test_what_is_registered():
    """The names that configurations and the README use."""
    known = {"vgg", "vgg_global", "resnet15", "resnet23", "light", "staff", "staff_light", "aster", "autostr"}
    assert known | {"resnet45"} <= set(EXTRACTORS.names())
    assert REFINERS.names() == ["bilstm", "identity", "plan", "transformer"]
    assert GENERATORS.names() == ["attention", "ctc", "encoder_decoder", "parallel"]


def test_a_name_is_given_once():
    """A second stage of the same name would silently replace the first."""
    registry = Registry("toy")
    registry.register("a")(int)
    with pytest.raises(KeyError, match="toy a is registered already"):
        registry.register("a")(float)


GIVEN = {"in_features": 16, "classes": 9, "max_length": 4}


@pytest.mark.parametrize(
    ("registry", "name", "options", "said"),
    [
        (EXTRACTORS, "vgg99", {}, "extractor: no 'vgg99'; there are: .*, light, "),
        (EXTRACTORS, "vgg", {"depth": 3}, "extractor vgg: no option 'depth'; it takes: width"),
        (EXTRACTORS, "vgg", {"in_channels": 3}, "extractor vgg: no option 'in_channels'"),
        (EXTRACTORS, "vgg", {"width": "wide"}, "extractor vgg: width: 'wide' is not of type float"),
        (EXTRACTORS, "vgg", {"width": 0}, r"extractor vgg: width 0\.0: it takes more than 0"),
        (EXTRACTORS, "light", {"width": 1e9}, r"extractor light: width: 1000000000\.0; it takes 0 to"),
        (EXTRACTORS, "staff", {"stride": 5}, "extractor staff: stride 5: it takes 8 or 4"),
        (REFINERS, "identity", {"hidden": 3}, "refiner identity: no option 'hidden'; it takes: none"),
        (REFINERS, "bilstm", {"hidden": 0}, "refiner bilstm: hidden and depth take 1 or more"),
        (REFINERS, "bilstm", {"hidden": 1.5}, r"refiner bilstm: hidden: 1\.5 is not of type int"),
        (REFINERS, "bilstm", {"hidden": 10**9}, "refiner bilstm: hidden: 1000000000; it takes 0 to 16384"),
        (REFINERS, "bilstm", {"projection": -2}, "refiner bilstm: projection: -2; it takes 0 to"),
        (REFINERS, "bilstm", {"dropout": 1}, "refiner bilstm: dropout takes 0 or more, below 1"),
        (GENERATORS, "attention", {"hidden": 0}, "generator attention: hidden, attention and embedding take 1 or more"),
        (GENERATORS, "encoder_decoder", {"embedding": 0}, "generator encoder_decoder: hidden and embedding take 1"),
        (GENERATORS, "ctc", {"beam": 4}, "generator ctc: no option 'beam'; it takes: plan"),
    ],
)
def test_what_cannot_be_built_says_why(registry, name, options, said):
    """Unknown stage, unknown option, a value that makes no sense: one line that names stage and option."""
    given = {"in_channels": 1, "height": 32} if registry is EXTRACTORS else GIVEN
    with pytest.raises(UserError, match=said):
        registry.build(name, options, **given)
