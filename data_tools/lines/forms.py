"""Small grammars of what forms, receipts, letters and screens say. Each writes a text from (random, vocabulary); runs
of spaces in it stand for wide gaps. What they choose from is in `data/phrases.txt`.
"""

from __future__ import annotations

import string
from pathlib import Path
from random import Random

from data_tools.lines.vocabulary import Vocabulary
from data_tools.words.wordlist import digits, ordinal

_PHRASES = {
    name: phrases.split("|")
    for name, _, phrases in (
        line.partition(": ")
        for line in (Path(__file__).parent / "data" / "phrases.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    )
}


def number(random: Random, count: int) -> str:
    """`count` digits."""
    return "".join(random.choices(string.digits, k=count))


def _phrase(random: Random, name: str) -> str:
    return random.choice(_PHRASES[name])


def write_date(random: Random, vocabulary: Vocabulary) -> str:
    """A date, a time, or both, as various countries write them."""
    day, month = random.randint(1, 31), random.randint(1, 12)
    year = random.choice((random.randint(1950, 2035), random.randint(1990, 2026)))
    name = _PHRASES["months"][month - 1][: 9 if random.random() < 0.6 else 3]
    kind = random.random()
    if kind < 0.4:
        mark, short = random.choice("/-./"), random.random() < 0.4
        padded = random.random() < 0.7
        parts = [f"{part:02}" if padded else str(part) for part in (day, month)]
        parts.append(f"{year % 100:02}" if short else str(year))
        date = mark.join(parts if random.random() < 0.8 else reversed(parts))
    elif kind < 0.6:
        date = random.choice((f"{name} {day}, {year}", f"{day} {name} {year}", f"{day}-{name[:3]}-{year}"))
    elif kind < 0.7:
        weekday = _phrase(random, "days")
        date = f"{weekday[:3] if random.random() < 0.4 else weekday}, {name} {ordinal(day, random)}"
    elif kind < 0.8:
        date = f"{day}. {vocabulary.word(random)} {year}"
    else:
        return _write_time(random)
    return f"{date} {_write_time(random)}" if random.random() < 0.25 else date


def _write_time(random: Random) -> str:
    hour, minute = random.randint(0, 23), random.randint(0, 59)
    clock = f"{hour:02}:{minute:02}" + (f":{random.randint(0, 59):02}" if random.random() < 0.35 else "")
    if random.random() < 0.35:
        clock += random.choice((" AM", " PM", "am", " p.m.", " Uhr", " h"))
    return f"{clock} - {random.randint(0, 23):02}:{random.choice(('00', '30'))}" if random.random() < 0.15 else clock


def write_price(random: Random, _: Vocabulary) -> str:
    """An amount of money, a percentage, a number with its marks."""
    whole = random.randrange(10 ** random.choice((1, 1, 2, 2, 3, 4, 6)))
    comma = random.random() < 0.3
    text = f"{whole:,}.{random.randrange(100):02}"
    if comma:
        text = text.translate(str.maketrans(",.", ".,"))
    kind = random.random()
    if kind < 0.4:
        return text
    if kind < 0.75:
        mark = random.choice(("$", "$", "£", "€", "€", "RM", "EUR", "USD", "CHF", "¥"))
        return f"{mark}{random.choice(('', ' '))}{text}" if not comma else f"{text} {mark}"
    if kind < 0.82:
        return f"{random.choice(('', '-', '+', '±'))}{random.randint(1, 100)}%"
    if kind < 0.9:
        return f"{text[:-3]}"
    return random.choice((f"({text})", f"-{text}", f"{text}-", f"*{text}", f"@ {text}", f"{text} A", f"{text} SR"))


def write_phone(random: Random, _: Vocabulary) -> str:
    """A telephone number, with or without what it is called."""
    digit = lambda count: number(random, count)  # noqa: E731
    text = random.choice(
        (
            f"({digit(3)}) {digit(3)}-{digit(4)}",
            f"{digit(3)}-{digit(3)}-{digit(4)}",
            f"+{digit(2)} {digit(2)} {digit(4)} {digit(4)}",
            f"0{digit(1)} {digit(2)} {digit(2)} {digit(2)} {digit(2)}",
            f"0{digit(1)}-{digit(4)} {digit(4)}",
            f"0{digit(3)} / {digit(6)}",
            f"1-800-{digit(3)}-{digit(4)}",
            f"+{digit(1)}-{digit(3)}-{digit(7)}",
        )
    )
    if random.random() < 0.5:
        return text
    return random.choice(("Tel: ", "Tel. ", "TEL : ", "Phone: ", "Fax: ", "FAX ", "Ph. ", "Tél. : ", "Mob ")) + text


def _plain(word: str) -> str:
    """A word as addresses of the web have it: ASCII letters."""
    return "".join(c for c in word.lower() if c.isascii() and c.isalnum()) or "info"


def write_contact(random: Random, vocabulary: Vocabulary) -> str:
    """An e-mail or web address."""
    one, two = _plain(vocabulary.word(random)), _plain(vocabulary.word(random))
    ending = _phrase(random, "endings")
    kind = random.random()
    if kind < 0.45:
        name = one + random.choice((f".{two}", "", number(random, 2), f"_{two}"))
        text = f"{name}@{_plain(vocabulary.word(random))}{ending}"
    elif kind < 0.8:
        start, glue = random.choice(("www.", "www.", "https://", "http://www.", "")), random.choice(("", "-", two))
        text = f"{start}{one}{glue}{two}{ending}"
    else:
        page = random.choice((number(random, 3), f"{two}.html", f"?id={number(random, 4)}"))
        text = f"https://{one}{ending}/{two}/{page}"
    text = text.upper() if random.random() < 0.08 else text
    return random.choice(("Email: ", "E-mail : ", "Web: ")) + text if random.random() < 0.15 else text


def write_address(random: Random, vocabulary: Vocabulary) -> str:
    """A street with its number, a town with its code."""
    one, two = vocabulary.word(random).capitalize(), vocabulary.word(random).capitalize()
    street, house = _phrase(random, "streets"), random.randint(1, 250)
    glue = "" if street[0].islower() else " "
    text = random.choice(
        (
            f"{house} {one}{glue}{street}",
            f"{house}, rue {one}",
            f"{one}{glue}{street} {house}",
            f"No. {house}, Jalan {one} {random.randint(1, 30)}/{random.randint(1, 30)}",
            f"{number(random, 5)} {one}",
            f"{one}, {random.choice(('NY', 'CA', 'IL', 'TX', 'NC', 'VA', 'DC'))} {number(random, 5)}",
            f"{one} {number(random, 4)}-{number(random, 3)} {two}",
            f"P.O. Box {number(random, 4)}, {one}",
            f"C/ {one} {house}, {random.randint(1, 9)}º",
            f"Via {one} {house}, {number(random, 5)} {two}",
            f"{random.choice('ABCDEFGHLMNPSW')}{random.randint(1, 20)} {random.randint(1, 9)}{random.choice('ABDEHJL')}"
            f"{random.choice('ABDEHJL')} {two}",
        )
    )
    return text.upper() if random.random() < 0.25 else text


def write_field(random: Random, vocabulary: Vocabulary) -> str:
    """A label and a colon, mostly with what was filled in, near or far."""
    label = _phrase(random, "labels")
    if random.random() < 0.4:
        label = " ".join(vocabulary.word(random) for _ in range(random.randint(1, 3)))
        label = label.title() if random.random() < 0.3 else label[:1].upper() + label[1:]
    label = label.upper() if random.random() < 0.35 else label
    label += random.choice((":", ":", ":", " :", "", ".", "?"))
    if random.random() < 0.3:
        return label
    gap = " " * random.choice((1, 1, 1, 2, 3, 5, 8))
    return (
        label
        + gap
        + random.choice((write_date, write_price, write_phone, write_name, write_number))(random, vocabulary)
    )


def write_name(random: Random, vocabulary: Vocabulary) -> str:
    """Names of people and firms: capitalised words, initials, titles."""
    words = [vocabulary.word(random).capitalize() for _ in range(random.randint(1, 3))]
    if random.random() < 0.4:
        words.insert(random.randrange(len(words)), f"{random.choice(string.ascii_uppercase)}.")
    if random.random() < 0.3:
        words.insert(0, _phrase(random, "titles"))
    if random.random() < 0.25:
        words.append(_phrase(random, "firms"))
    return " ".join(words)


def write_number(random: Random, _: Vocabulary) -> str:
    """Numbers of papers and things: orders, accounts, plates, parts."""
    letters = "".join(random.choices(string.ascii_uppercase, k=random.randint(1, 4)))
    return random.choice(
        (
            digits(random),
            number(random, random.randint(1, 12)),
            f"{letters}{number(random, random.randint(1, 8))}",
            f"{letters}-{number(random, random.randint(2, 6))}",
            f"#{number(random, random.randint(1, 8))}",
            f"No. {number(random, random.randint(1, 6))}",
            f"N° {number(random, random.randint(1, 6))}",
            f"{number(random, 4)}/{number(random, 2)}",
            f"§ {random.randint(1, 300)} ({random.randint(1, 9)})",
            f"{random.randint(1, 20)}.{random.randint(1, 20)}.{random.randint(1, 9)}",
            f"{letters[:2]}{number(random, 2)} {number(random, 4)} {number(random, 4)} {number(random, 4)}",
            "*" * random.choice((4, 8, 12)) + number(random, 4),
            f"{random.randint(1, 90)} x {random.randint(1, 90)} {random.choice(('mm', 'cm', 'm'))}",
            f"{random.randint(-20, 300)} {_phrase(random, 'units')}",
        )
    )


def write_bill(random: Random, vocabulary: Vocabulary) -> str:
    """A line of a receipt: goods or a total at the left, a price at the right, or what stands around them."""
    price, gap = write_price(random, vocabulary), " " * random.choice((2, 3, 5, 8, 12, 18))
    kind = random.random()
    goods = " ".join(vocabulary.word(random) for _ in range(random.randint(1, 3)))
    goods = goods.upper() if random.random() < 0.65 else goods[:1].upper() + goods[1:]
    if kind < 0.3:
        return f"{_phrase(random, 'totals')}{random.choice(('', ':', ' :'))}{gap}{price}"
    if kind < 0.5:
        return f"{goods}{gap}{price}"
    if kind < 0.65:
        return f"{random.randint(1, 12)} {random.choice(('', 'x ', 'X ', '× '))}{goods}{gap}{price}"
    if kind < 0.78:
        each = f"{random.randint(1, 99)}.{random.randrange(100):02}"
        return f"{random.randint(1, 20)} {random.choice('xX@')} {each}{gap}{price}"
    if kind < 0.86:
        return f"{number(random, random.choice((4, 8, 13)))}{gap}{goods}"
    if kind < 0.93:
        return random.choice(("*** {} ***", "** {} **", "--- {} ---", "== {} ==", "<{}>")).format(goods)
    return gap.join(write_price(random, vocabulary) for _ in range(random.randint(2, 4)))


def write_list(random: Random, vocabulary: Vocabulary) -> str:
    """An item of a list or a choice of a form."""
    words = " ".join(vocabulary.word(random) for _ in range(random.randint(1, 5)))
    numbered = (f"{random.randint(1, 30)}.", f"({random.randint(1, 9)})", f"{random.choice('abcde')})")
    mark = _phrase(random, "bullets") if random.random() < 0.6 else random.choice(numbered)
    return f"{mark} {words[:1].upper()}{words[1:]}"


FORMS = (write_field, write_field, write_date, write_price, write_phone, write_contact, write_address, write_name)
FORMS += (write_number, write_list)


def write_code(random: Random, vocabulary: Vocabulary) -> str:
    """A line of a program, a command, a path, a key."""
    one, two = (_plain(vocabulary.word(random)) for _ in range(2))
    value = random.choice(
        (number(random, 2), f'"{two}"', f"'{two}'", "None", "true", f"{two}()", f"0x{number(random, 2)}f")
    )
    return random.choice(
        (
            f"{one} = {value}",
            f"{one}({two}, {value})",
            f"for (int i = 0; i < {one}; i++) {{",
            f"if ({one} != {value}) return;",
            f"if {one}[{value}] == {two}:",
            f"def {one}(self, {two}={value}):",
            f"return {one}.{two}({value})",
            f"import {one}.{two}",
            f"{one}_{two} += {value};",
            f"#define {one.upper()} {value}",
            f"// {one} {two}",
            f"$ {one} --{two}={number(random, 3)}",
            f"<{one} {two}={value}/>",
            f"</{one}>",
            f'"{one}": {value},',
            f"/{one}/{two}/{one}.{random.choice(('py', 'txt', 'so', 'h'))}",
            f"C:\\{one.capitalize()}\\{two}.exe",
            f"{one} | {two} > {one}.log",
            f"{{{one}: [{value}, {number(random, 1)}]}}",
            f"{one}@{two}:~$ ls -l",
            f"x^{number(random, 1)} + {number(random, 2)}*y % {number(random, 1)}",
            "".join(random.choices(string.ascii_uppercase + string.digits, k=random.randint(5, 16))),
            "-".join(
                "".join(random.choices(string.ascii_uppercase + string.digits, k=4))
                for _ in range(random.randint(2, 4))
            ),
            "".join(random.choices("0123456789abcdef", k=random.choice((8, 12, 16)))),
        )
    )
