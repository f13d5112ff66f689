"""The sets of photographs below a folder, in any of the layouts that are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_tools.errors import UserError
from data_tools.readers.scenes.find import find_scenes
from data_tools.readers.walk import is_side
from data_tools.sample import Reader


@dataclass(frozen=True)
class PhotoSet:
    """A set of photographs with regions of text."""

    name: str
    path: Path
    reader: Reader
    layout: str


def find_sets(root: str | Path, names: list[str] | None = None) -> tuple[list[PhotoSet], list[str]]:
    """The sets in the folders of `root`, or `root` itself, and a line for each folder that is no use. `names` chooses
    among them. Raises UserError where none is left.
    """
    root = Path(root)
    if not root.exists():
        raise UserError(f"--root {root}: there is no such folder")
    alone = find_scenes(root)
    if alone is not None:
        return [PhotoSet(root.resolve().name, root, alone, alone.layout)], []
    if not root.is_dir():
        raise UserError(f"--root {root}: holds no photographs with regions of text")
    found, problems = [], []
    for path in sorted(each for each in root.iterdir() if each.is_dir() and not is_side(each.name)):
        if names and path.name not in names:
            continue
        try:
            reader = find_scenes(path)
        except UserError as error:
            problems.append(f"{path.name}: {error}")
            continue
        if reader is None:
            problems.append(f"{path.name}: holds no photographs with regions of text")
        else:
            found.append(PhotoSet(path.name, path, reader, reader.layout))
    problems += [f"{name}: there is no such folder in {root}" for name in names or () if not (root / name).is_dir()]
    if not found:
        raise UserError(f"--root {root}: no set can be read{': ' + '; '.join(problems) if problems else ''}")
    return found, problems
