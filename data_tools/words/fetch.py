"""Open font families, fetched as npm packages (`@fontsource/*`: Google's and other open families as woff2 files)."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

from tqdm import tqdm

from data_tools.errors import UserError
from data_tools.files import write_bytes
from data_tools.words.fonts import family_kinds

logger = logging.getLogger(__name__)
STYLES = ("300-normal", "400-normal", "700-normal", "900-normal", "400-italic", "700-italic")
_AT_ONCE = 50  # packages of one npm call


def families() -> list[str]:
    """The names of the families that `fetch` installs, from the list that ships."""
    return list(family_kinds())


def fetch(folder: str | Path, names: list[str] | None = None) -> int:
    """Installs the Latin woff2 files of `names` (None: the whole list) with their licences; returns how many files.

    Raises UserError where npm is missing, nothing could be had, or the folder cannot be written.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            "npm is not installed, and the fonts come as npm packages; install Node.js, or copy fonts yourself"
        )
    folder, names, count = Path(folder), names or families(), 0
    write_bytes(
        folder / "README.txt", b"Open font families from @fontsource packages; each one's licence is in licences/.\n"
    )
    for start in tqdm(range(0, len(names), _AT_ONCE), desc="families", unit="batch"):
        with tempfile.TemporaryDirectory() as scratch:
            batch = names[start : start + _AT_ONCE]
            _install(npm, batch, scratch)
            count += sum(_keep(Path(scratch) / "node_modules" / "@fontsource" / name, folder) for name in batch)
    if not count:
        raise UserError("no font could be fetched; see what npm says above, and check the network or npm's registry")
    return count


def _install(npm: str, names: list[str], scratch: str) -> None:
    """One npm call for all; where it fails, one for each, so that a family that is gone costs only itself."""
    command = [npm, "install", "--prefix", scratch, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run([*command, *(f"@fontsource/{name}" for name in names)], capture_output=True, text=True)
    if done.returncode == 0:
        return
    if len(names) == 1:
        logger.warning("font family %s: npm cannot install it (%s); skipped", names[0], _last_line(done.stderr))
        return
    for name in names:
        _install(npm, [name], scratch)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if "error" in line.lower() and "log" not in line]
    return (lines or ["no reason given"])[0]


def _keep(package: Path, folder: Path) -> int:
    """Copies a package's Latin files and its licence; returns the number of fonts."""
    found = [package / "files" / f"{package.name}-latin-{style}.woff2" for style in STYLES]
    fonts = [file for file in found if file.is_file()]
    for file in fonts:
        write_bytes(folder / file.name, file.read_bytes())
    licence = package / "LICENSE"
    if fonts and licence.is_file():
        write_bytes(folder / "licences" / f"{package.name}.txt", licence.read_bytes())
    return len(fonts)
