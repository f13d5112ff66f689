"""Python and C++ must mean the same by the parameters of an operator: a number in the wrong place is a wrong result."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from crnn_jt.backend.fast import build, fields, network_fields


@pytest.fixture(scope="module")
def library():
    return build.native()


def test_every_struct_is_the_same_on_both_sides(library):
    fields.check_layouts(library)
    assert len(library.crnn_layouts().splitlines()) == len(fields.Fields.__subclasses__())


@pytest.mark.parametrize(
    "changed",
    [
        [("batch", fields.int32), ("channels", fields.int32), ("eps", fields.float64), ("area", fields.int64)],
        [("eps", fields.float32), ("area", fields.int64), ("batch", fields.int32), ("channels", fields.int32)],
        [("eps", fields.float64), ("area", fields.int64), ("batch", fields.int32), ("depth", fields.int32)],
        [("eps", fields.float64), ("area", fields.int64), ("batch", fields.int32)],
    ],
    ids=["order", "type", "name", "missing"],
)
def test_a_struct_that_differs_is_noticed_when_the_library_is_loaded(changed, monkeypatch):
    """Whoever changes one side alone is told which struct, before anything is computed."""
    other = type("BatchNorm", (ctypes.Structure,), {"_fields_": changed})
    monkeypatch.setattr(fields.BatchNorm, "layout", lambda: fields.Fields.layout.__func__(other))
    with pytest.raises(RuntimeError, match=r"^struct BatchNorm is .* in fields.py, .* in fields.h$"):
        build.load()


def test_a_struct_on_one_side_alone_is_noticed(library):
    both = library.crnn_layouts()
    more, fewer = both + b"Only 4 { int32_t x; }\n", both.replace(b"ReLU 8 { int64_t count; }\n", b"")
    for text, expected in ((more, "struct Only is None in fields.py"), (fewer, "struct ReLU is .* None in fields.h")):
        with pytest.raises(RuntimeError, match=expected):
            fields.check_layouts(SimpleNamespace(crnn_layouts=lambda text=text: text))


def test_a_field_forgotten_or_misspelt_is_refused():
    """ctypes alone would leave it zero."""
    with pytest.raises(TypeError, match="NetworkLinear has the fields in_features, out_features, not in_features"):
        network_fields.NetworkLinear(in_features=3)
    with pytest.raises(TypeError, match="not in_features, out"):
        network_fields.NetworkLinear(in_features=3, out=4)


def test_a_message_holds_the_struct_and_its_arrays():
    message = fields.CTC(steps=5, batch=2, classes=7, longest=3, lengths=[5, 4], sizes=(), targets=[1, 2, 3, 4, 5, 6])
    words = message.words()
    assert words[:2] == [5 | 2 << 32, 7 | 3 << 32]
    assert words[message.lengths.first :][: message.lengths.count] == [5, 4]
    assert words[message.targets.first :] == [1, 2, 3, 4, 5, 6]
    assert message.sizes.count == 0
