"""Writes what a model of Chinese and English is trained from: zh.txt, the words, and ppocr-zh.yaml, its configuration.

    PYTHONPATH=. python docs/recipes/chinese.py jieba-0.42.1/jieba/dict.txt

The list is jieba's (word, count and kind in a row); the 6,500 characters that its counts say are written most are kept,
with ASCII and the marks of Chinese text.
"""

import sys
from collections import Counter
from pathlib import Path

import yaml

from data_tools.words.wordlist import load_words

HAN, MARKS = 6500, "，。！？；：、（）《》“”‘’—…·￥"
ASCII = "".join(map(chr, range(32, 127)))

rows = [line.split(" ") for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
counts = Counter()
for word, count, *_ in rows:
    counts.update({character: int(count) for character in word if "\u4e00" <= character <= "\u9fff"})
han = "".join(character for character, _ in counts.most_common(HAN))
allowed = set(han)
words = [word for word, *_ in rows if allowed.issuperset(word)]
english = [word for tier in load_words(None, ASCII) for word in tier]
Path("zh.txt").write_text("\n".join(words + english) + "\n", "utf-8")

characters = ASCII + MARKS + han
config = yaml.safe_load(Path("crnn_jt/configs/ppocr.yaml").read_text())
config["model"] |= {"name": "ppocr-zh", "labels": {"characters": characters, "max_length": 25}}
config["data"] = {"kind": "words", "recipe": {"words": "zh.txt", "characters": characters, "ease_in": 100000}}
Path("ppocr-zh.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, width=120), "utf-8")
print(f"{len(words):,} words of Chinese, {len(english):,} of English, {len(characters):,} symbols")
