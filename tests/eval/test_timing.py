"""Times are of single calls, or a mean would hide the slow ones."""

from eval.timing import repeat


def test_calls_are_timed_one_by_one():
    ticks = iter(range(100))
    assert repeat(lambda: next(ticks), 0, 3, lambda: next(ticks)) == [2, 2, 2]
