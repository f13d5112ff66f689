"""Fetching fonts: npm replaced by a script, so nothing leaves this machine."""

import pytest

from data_tools.errors import UserError
from data_tools.words.fetch import fetch

NPM = """#!/bin/sh
while [ "$1" != --prefix ]; do shift; done
root=$2; shift 2; status=0
for name in "$@"; do case $name in
  @fontsource/gone) echo "npm error 404 no such package" >&2; exit 1;;
  @fontsource/*) d=$root/node_modules/$name/files; mkdir -p $d; b=${name##*/}
    for s in latin-400-normal latin-700-italic latin-ext-400-normal; do echo font > $d/$b-$s.woff2; done
    echo licence > $d/../LICENSE;;
esac; done
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text(NPM)
    (tmp_path / "bin" / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


def test_latin_styles_and_licences_are_kept(npm, tmp_path):
    assert fetch(tmp_path / "fonts", ["lato", "anton"]) == 4
    kept = sorted(file.name for file in (tmp_path / "fonts").glob("*.woff2"))
    assert kept[:2] == ["anton-latin-400-normal.woff2", "anton-latin-700-italic.woff2"] and len(kept) == 4
    assert (tmp_path / "fonts" / "licences" / "lato.txt").is_file()


def test_a_family_that_is_gone_costs_only_itself(npm, tmp_path, caplog):
    assert fetch(tmp_path / "fonts", ["lato", "gone", "anton"]) == 4
    assert "gone" in caplog.text and "404" in caplog.text
    with pytest.raises(UserError, match="no font could be fetched"):
        fetch(tmp_path / "none", ["gone"])


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="npm is not installed"):
        fetch(tmp_path / "fonts", ["lato"])


def test_a_folder_that_cannot_be_written_is_named(npm, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        fetch(tmp_path / "file" / "fonts", ["lato"])
