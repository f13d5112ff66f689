"""The speed bench: its ratios must be those of turns taken side by side, and one broken engine must not end it."""

import numpy as np
import pytest

from eval.speed import bench
from eval.speed.tasks import REFERENCE
from tests.eval.speed.conftest import Bar, Fake


def test_ratios_are_taken_turn_by_turn_so_that_drift_cancels(measured):
    assert set(measured) == {"jittor", REFERENCE}
    assert measured["jittor"]["ratio"] == pytest.approx(4)
    assert measured[REFERENCE]["ratio"] == 1


def test_mean_deviation_and_median_are_over_the_turns(measured):
    rates = [50, 25, 12.5]  # the first call, twice as fast, is set-up and stands apart
    assert measured["jittor"]["images_per_s"] == pytest.approx(np.mean(rates), abs=0.01)
    assert measured["jittor"]["deviation"] == pytest.approx(np.std(rates), abs=0.01)
    assert measured["jittor"]["median"] == 25
    assert measured["jittor"]["repeats"] == 3
    assert measured["jittor"]["first_call_s"] == pytest.approx(0.08)
    assert measured["jittor"]["peak_mb"] == 100


def test_engines_take_turns_and_change_who_goes_first(no_pause):
    order, bar = [], Bar()

    class Noted(Fake):
        def ask(self, task, **options):
            if task != "memory":
                order.append(self.name)
            return super().ask(task, **options)

    bench.take_turns([Noted("a", 1), Noted("b", 1)], "infer", 1, bench.Plan(repeats=2), bar)
    assert order == ["a", "b", "a", "b", "b", "a"] and bar.turns == 4


def test_an_engine_that_breaks_half_way_is_left_out(no_pause):
    class Breaks(Fake):
        def ask(self, task, **options):
            self.seconds = None if len(self.order) == 2 else self.seconds
            return super().ask(task, **options)

    breaks = Breaks("jittor", 1)
    found = bench.take_turns([breaks, Fake(REFERENCE, 1)], "infer", 1, bench.Plan(repeats=3), Bar())
    assert set(found) == {REFERENCE} and breaks.problem


def test_logits_of_other_shape_or_value_show(tmp_path):
    class Told:
        def __init__(self, name, logits):
            self.name, self.path = name, tmp_path / f"{name}.npy"
            np.save(self.path, logits)

        def ask(self, task):
            return {"file": str(self.path)}

    ones = np.ones((2, 1, 3), np.float32)
    found = bench.compare_logits([Told("a", ones), Told("b", 1.5 * ones), Told("c", ones[:1])])
    assert found == {"a": 0, "b": 0.5, "c": None}
    assert bench.compare_logits([]) == {}


def test_without_an_onnx_file_its_engines_say_so_and_the_others_go_on():
    good, bad = Fake("jittor", 1), Fake("onnxruntime", 1)
    assert list(bench.start([good, bad], "UserError: onnx not installed")) == ["jittor"]
    assert bad.problem == "no ONNX file of this model: UserError: onnx not installed" and not good.problem
