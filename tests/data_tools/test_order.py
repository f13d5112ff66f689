"""The order of samples: its worked examples hold, and every pass gives what the whole epoch would have given."""

import doctest

import pytest

from data_tools.loader import order
from data_tools.loader.order import Schedule, groups_to_load, held_groups, is_held_later


def test_the_worked_examples_hold():
    """They are what the next reader trusts when changing echo or resumption."""
    done = doctest.testmod(order)
    assert done.attempted >= 16 and not done.failed


@pytest.mark.parametrize("echo", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [0, 1, 3, 4, 9, 17])
def test_a_pass_from_any_window_loads_each_group_once_before_its_use(first, echo):
    """A group too few would end a resumed training with an error, one too many would cost its rendering."""
    kept, loaded = set(), []
    for window in range(first, 30):
        new = groups_to_load(window, first, echo)
        kept |= set(new)
        loaded += new
        assert set(held_groups(window, echo)) <= kept
        kept = {group for group in kept if is_held_later(group, window, echo)}
        assert len(kept) < echo * order.APART  # memory stays bounded
    assert len(loaded) == len(set(loaded))


@pytest.mark.parametrize(("samples", "options"), [(30, {}), (31, {"window": 3}), (33, {"window": 4, "echo": 2})])
def test_an_epoch_loads_no_batch_twice(samples, options):
    schedule = Schedule(samples, 4, **options)
    batches = list(schedule.batches_to_load(0))
    assert sorted(batches) == list(range(len(batches)))
    assert len(batches) * options.get("echo", 1) == schedule.batches
