"""`python -m eval`: every bench that is there can be called."""

from eval.__main__ import COMMANDS, main


def test_every_bench_is_found_with_its_line(capsys):
    assert set(COMMANDS) >= {"words", "lexicon", "speed", "staves", "stages", "renderer", "reading"}
    assert main("eval", "", COMMANDS, ["--help"]) == 0
    out = capsys.readouterr().out
    assert all(command.summary and command.summary in out for command in COMMANDS.values())
