"""The renderer bench's table: what an effect is worth is the change it makes."""

from eval.renderer.bench import Outcome
from eval.renderer.report import format_table


def test_the_table_counts_from_the_first_variant():
    outcomes = [
        Outcome("default", 50.0, {"SVT": 40.0, "IC03": 60.0}, {}, 10),
        Outcome("bare", 30.5, {"SVT": 20.0, "IC03": 41.0}, {}, 10),
    ]
    lines = format_table(outcomes)
    assert lines[0].split() == ["variant", "SVT", "IC03", "all", "change"]
    assert lines[2].split() == ["bare", "20.0", "41.0", "30.5", "-19.5"]
