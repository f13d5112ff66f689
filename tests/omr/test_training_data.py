"""What `python -m omr train` learns from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image

from crnn_jt.training import configure
from omr.commands.train import open_readers


def write_scores(root: Path, count: int) -> Path:
    for number in range(count):
        folder = root / f"{number}_1"
        folder.mkdir(parents=True)
        Image.new("L", (40, 30), 255).save(folder / f"{folder.name}.png")
        (folder / f"{folder.name}.semantic").write_text("clef-G2\tnote-C4_half\n")
    return root


def test_sets_of_scores_are_mixed_in_shares(tmp_path):
    """A few photographed scores are in every batch, beside many that are rendered."""
    many, few = write_scores(tmp_path / "many", 6), write_scores(tmp_path / "few", 2)
    train, _ = open_readers(configure("omr-light", {"data": {"train": (f"{many}:2", f"{few}:1")}}))
    assert train.ordered and len(train) > 1000
    counts = Counter(Path(train.reader[place].key).parent.name for place in range(30))
    assert counts == {"many": 20, "few": 10}
    plain, _ = open_readers(configure("omr-light", {"data": {"train": (str(many), str(few))}}))
    assert not plain.ordered and len(plain) == 8
