"""Hunspell dictionaries: `.dic` word stems with their `.aff` prefixes and suffixes expanded.

After the file format's manual page hunspell(5): PFX and SFX rules with their conditions, crossed where both allow it;
flags of one character, of two (`FLAG long`), numbers (`FLAG num`) and aliases (AF). Compounding and two-fold affixes
are left aside.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

from data_tools.errors import UserError
from data_tools.text import encoding_of, trim

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """One line of an affix: what it takes away, what it adds, and the stems that it fits."""

    strip: str
    add: str
    condition: re.Pattern


@dataclass
class Affixes:
    """An .aff file: rules by flag, and how flags are written."""

    encoding: str = "utf-8"
    flags: str = "char"
    prefixes: dict[str, list[Rule]] = field(default_factory=dict)
    suffixes: dict[str, list[Rule]] = field(default_factory=dict)
    crossed: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    aliases: list[str] = field(default_factory=list)

    def split(self, flags: str) -> list[str]:
        """The flags that stand after a stem's slash."""
        if self.aliases and flags.isdecimal() and 0 < int(flags) <= len(self.aliases):
            flags = self.aliases[int(flags) - 1]
        if self.flags == "long":
            return [flags[i : i + 2] for i in range(0, len(flags), 2)]
        return flags.split(",") if self.flags == "num" else list(flags)


def read_dictionary(path: str) -> list[str]:
    """All words of a .dic, with the affixes of the .aff in the same folder; without one, the stems alone.

    Raises UserError where the file cannot be read. A malformed line of the .aff is passed over.
    """
    file = Path(path).expanduser()
    rules = next((each for each in map(file.with_suffix, (".aff", ".AFF")) if each.is_file()), None)
    affixes = read_affixes(rules) if rules else Affixes()
    lines = _lines(file, affixes.encoding)
    start = 1 if lines and lines[0].strip().isdigit() else 0
    words: dict[str, None] = {}
    for line in lines[start:]:
        stem, _, flags = line.partition("\t")[0].strip().partition("/")
        if stem:
            words.update(dict.fromkeys(expand(stem, affixes.split(flags.split(" ")[0]), affixes)))
    return list(words)


def expand(stem: str, flags: list[str], affixes: Affixes) -> list[str]:
    """The stem and every word that its flags make of it."""
    if affixes.hidden.intersection(flags):
        return []
    words = [stem]
    for flag in flags:
        words += [word for rule in affixes.suffixes.get(flag, ()) if (word := _add_suffix(stem, rule))]
    crossed = [stem] + [
        word
        for flag in flags
        if flag in affixes.crossed
        for rule in affixes.suffixes.get(flag, ())
        if (word := _add_suffix(stem, rule))
    ]
    for flag in flags:
        for rule in affixes.prefixes.get(flag, ()):
            for base in crossed if flag in affixes.crossed else [stem]:
                if base.startswith(rule.strip) and rule.condition.match(base):
                    words.append(rule.add + base[len(rule.strip) :])
    return words


def _add_suffix(stem: str, rule: Rule) -> str | None:
    if stem.endswith(rule.strip) and rule.condition.search(stem):
        return stem[: len(stem) - len(rule.strip)] + rule.add
    return None


def read_affixes(path: Path) -> Affixes:
    """An .aff file; raises UserError where it cannot be read."""
    lines = [line.split() for line in _lines(path, "latin-1")]
    affixes = Affixes(encoding=next((line[1] for line in lines if line[:1] == ["SET"] and len(line) > 1), "latin-1"))
    lines = _lines(path, affixes.encoding)
    whole = [line for line in lines if "\0" not in line]
    if len(whole) < len(lines):
        logger.warning("%s: %d damaged lines are passed over", path, len(lines) - len(whole))
    for line in map(str.split, whole):
        match line:
            case ["FLAG", kind, *_]:
                affixes.flags = kind if kind in ("long", "num") else "char"
            case ["AF", flags, *_] if affixes.aliases or not flags.isdigit():
                affixes.aliases.append(flags)
            case ["AF", _, *_]:
                affixes.aliases = []
            case ["FORBIDDENWORD" | "NEEDAFFIX" | "ONLYINCOMPOUND" | "NOSUGGEST", flag, *_]:
                affixes.hidden.add(flag)
            case ["PFX" | "SFX", flag, "Y" | "N" as cross, count, *_] if count.isdigit():
                if cross == "Y":
                    affixes.crossed.add(flag)
            case ["PFX" | "SFX" as kind, flag, strip, add, *rest]:
                _add_rule(affixes, kind, flag, strip, add, rest[0] if rest else ".")
    return affixes


def _add_rule(affixes: Affixes, kind: str, flag: str, strip: str, add: str, condition: str) -> None:
    add = "" if add.partition("/")[0] == "0" else add.partition("/")[0]
    safe = condition.replace("\\", "").replace("(", "\\(").replace(")", "\\)").replace("*", "\\*").replace("+", "\\+")
    try:
        pattern = re.compile(f"{safe}$" if kind == "SFX" else safe)
    except re.error:
        logger.warning("affix rule %s %s: its condition %s is malformed; passed over", kind, flag, condition)
        return
    table = affixes.suffixes if kind == "SFX" else affixes.prefixes
    table.setdefault(flag, []).append(Rule("" if strip == "0" else strip, add, pattern))


def _lines(path: Path, encoding: str) -> list[str]:
    try:
        content = path.read_bytes()
        marked = encoding_of(content)
        lines = content.decode(marked or encoding, errors="replace").splitlines()
    except (OSError, LookupError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a Hunspell file ({error}); name another dictionary") from error
    return [trim(line) for line in lines]
