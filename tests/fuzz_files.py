"""Small valid files of every kind that the project reads, and what reads them: what `tests/fuzz.py` mutates."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_tools.sample import CorruptSample
from tests.fuzz_scenes import SCENES, make_scenes, use_scenes

Files = dict[str, bytes]
"""Contents by path inside a folder."""


@dataclass(frozen=True)
class Kind:
    """`make()` gives valid files; `mutated` says which of them are changed (none: all); `use(folder)` reads them."""

    make: Callable[[], Files]
    use: Callable[[Path], object]
    mutated: tuple[str, ...] = ()


def draw(text: str) -> Image.Image:
    """A word in black on white."""
    image = Image.new("L", (48, 24), 255)
    ImageDraw.Draw(image).text((2, 2), text, 0, ImageFont.load_default(16))
    return image


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def make_pictures() -> Files:
    """One of each common format and depth."""
    word, exif = draw("word"), Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(np.asarray(word, np.uint16) * 257)
    return {
        "a.png": encode(word, "PNG"),
        "b.jpg": encode(word.convert("RGB"), "JPEG", exif=exif),
        "c.tif": encode(word, "TIFF", save_all=True, append_images=[draw("two"), draw("three")]),
        "d.gif": encode(word.convert("P"), "GIF", transparency=0),
        "e.webp": encode(word.convert("RGBA"), "WEBP"),
        "f.bmp": encode(word, "BMP"),
        "g.ppm": encode(word.convert("RGB"), "PPM"),
        "h.png": encode(wide, "PNG"),
        "i.tif": encode(Image.fromarray(np.asarray(word, np.float32) / 255), "TIFF", compression="tiff_lzw"),
        "j.png": encode(Image.merge("LA", (word, word)), "PNG", exif=exif),
        "k.jpg": encode(word.convert("CMYK"), "JPEG"),
        "l.ico": encode(word, "ICO"),
        "m.jp2": encode(word, "JPEG2000"),
    }


def use_pictures(folder: Path) -> None:
    """Every page of every file, grey and in colour."""
    from data_tools.images import list_pages, open_file, to_channels

    for path in sorted(folder.iterdir()):
        for page in list_pages(path)[:5]:
            image = open_file(page)
            to_channels(image, 1), to_channels(image, 3)


def make_lmdb() -> Files:
    """Three samples with a further text."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(folder, map_size=2**20) as environment, environment.begin(write=True) as transaction:
            transaction.put(b"num-samples", b"3")
            for number in (1, 2, 3):
                transaction.put(b"image-%09d" % number, encode(draw("word"), "PNG"))
                transaction.put(b"label-%09d" % number, b"word")
                transaction.put(b"agnostic-%09d" % number, b"clef.G-L2")
        return {"data.mdb": (Path(folder) / "data.mdb").read_bytes()}


def use_set(folder: Path) -> None:
    """Opens a data set, reads all its samples and labels; corrupt ones are no fault."""
    from data_tools.lexicons import labels
    from data_tools.readers import open_reader

    reader = open_reader(folder)
    for index in range(min(len(reader), 20)):
        try:
            assert reader[index].text
        except CorruptSample:
            continue
    labels(reader)


def make_folder() -> Files:
    """The report's layout, in several forms of lines."""
    lines = b'\xef\xbb\xbfa.png\tword\r\nb.png two words\r\nimage\\c.png, "th\\"ree"\r\nd.png,four\r\n'
    return {"gt.txt": lines, **{f"image/{name}.png": encode(draw(name), "PNG") for name in "abcd"}}


def make_json() -> Files:
    """Labels in a mapping."""
    return {"labels.json": b'{"a.png": "word", "b.png": {"text": "two"}}', **_two_pictures()}


def make_csv() -> Files:
    """Labels in a table with a header."""
    return {"metadata.csv": b'file_name,text\na.png,"w, ""o"""\nb.png,two\n', **_two_pictures()}


def _two_pictures() -> Files:
    return {f"{name}.png": encode(draw(name), "PNG") for name in "ab"}


def make_mjsynth() -> Files:
    """An annotation file, the lexicon and a picture."""
    return {
        "annotation_train.txt": b"./1/1_Slow_0.jpg 0\n./1/2_fast_1.jpg 1\n",
        "lexicon.txt": b"slow\nfast\n",
        "1/1_Slow_0.jpg": encode(draw("slow"), "JPEG"),
        "1/2_fast_1.jpg": encode(draw("fast"), "JPEG"),
    }


SEMANTIC = (
    "clef-G2 keySignature-DM timeSignature-3/4 note-F#4_quarter. rest-eighth tie gracenote-A4_eighth note-C5_half "
    "barline multirest-12 note-Bb3_sixteenth_fermata barline"
)
"""Every kind of symbol that the encoding has."""
PLAIN = "clef-G2 keySignature-DM timeSignature-3/4 note-F#4_quarter. rest-eighth note-C5_quarter barline note-B3_half."


def make_primus() -> Files:
    """One score with both encodings."""
    return {
        "1/1.png": encode(draw("x"), "PNG"),
        "1/1.semantic": SEMANTIC.encode(),
        "1/1.agnostic": b"clef.G-L2\tnote.half-L0\n",
    }


def use_semantic(folder: Path) -> None:
    """Symbols to music and back, in both encodings; then every export."""
    from data_tools.music import agnostic, mei, semantic
    from data_tools.text import read_text
    from omr.midi import to_midi
    from omr.musicxml import to_musicxml

    symbols = read_text(folder / "a.semantic").split()
    events = semantic.parse(symbols[:60])
    semantic.encode(events), mei.write(events), to_musicxml(events), to_midi(events)
    agnostic.parse(agnostic.encode(events))


def make_mei() -> Files:
    """The same music as MEI."""
    from data_tools.music import mei, semantic

    return {"a.mei": mei.write(semantic.parse(PLAIN.split())).encode()}


def use_mei(folder: Path) -> None:
    """MEI to music."""
    from data_tools.music import mei, semantic

    semantic.encode(mei.parse((folder / "a.mei").read_bytes()))


def make_pae() -> Files:
    """Both forms of Plaine & Easie."""
    records = "@start:1\n@clef:G-2\n@keysig:xF\n@timesig:3/4\n@data:'4A8BC2D/''4.E8F4G//\n@end\n"
    return {"a.pae": f"{records}\n7\t%C-3$bB@c '4A-B(C)/{{8DEFG}}\n".encode()}


def use_pae(folder: Path) -> None:
    """Every incipit to music."""
    from data_tools.scores import pae

    for incipit in pae.read(folder / "a.pae")[:3]:
        pae.events(incipit.text)


def make_weights() -> Files:
    """A safetensors file with a spec, of a few numbers."""
    import tempfile

    from crnn_jt.spec import load_config
    from crnn_jt.weights import Weights, save_weights

    with tempfile.TemporaryDirectory() as folder:
        arrays = {"generator.head.weight": np.ones((2, 3), np.float32), "generator.head.bias": np.zeros(2, np.float32)}
        path = Path(folder) / "a.safetensors"
        save_weights(path, Weights(arrays, load_config("crnn-light").model, {"step": 1}))
        return {"a.safetensors": path.read_bytes()}


def use_weights(folder: Path) -> None:
    """A model's own file."""
    from crnn_jt.weights import load_weights

    load_weights(folder / "a.safetensors")


def make_pickles() -> Files:
    """What torch.save, jt.save and np.savez leave."""
    fixtures = sorted((Path(__file__).parent / "crnn_jt/data").glob("*.p*"))
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(3, np.float32))
    return {**{path.name: path.read_bytes() for path in fixtures}, "z.npz": buffer.getvalue()}


def use_pickles(folder: Path) -> None:
    """Foreign weights, of which nothing is run."""
    from crnn_jt.foreign import read_foreign
    from crnn_jt.foreign.crnn import spec_of

    for path in sorted(folder.iterdir()):
        spec_of(read_foreign(path))


def make_yaml() -> Files:
    """A configuration and a recipe."""
    from crnn_jt.spec import CONFIGS

    recipe = b"words_per_line: 2\ndigits_share: 0.1\nsystem_fonts: false\ncharacters: abc\n"
    return {"config.yaml": (CONFIGS / "crnn-light.yaml").read_bytes(), "recipe.yaml": recipe}


def use_yaml(folder: Path) -> None:
    """Both, and a tokenizer for the configuration's labels."""
    from crnn_jt.spec import read_config
    from crnn_jt.tokenizer import Tokenizer
    from data_tools.words import Recipe

    Recipe.from_file(str(folder / "recipe.yaml"))
    Tokenizer(read_config(folder / "config.yaml").model.labels).accept("Aé１ﬁ")


def make_lexicons() -> Files:
    """Lists in every form."""
    words = "Hotel\nSt. Mary's\ncafé\n"
    return {
        "a.txt": words.encode(),
        "b.txt.gz": gzip.compress(words.encode()),
        "c.csv": b'word,count\nHotel,3\n"a, b",4\n',
        "d.lst": words.encode("utf-16"),
        "e.txt": b"1\tHotel\n2\tSt. Mary's\n",
        "f.json": b'["Hotel", "St. Mary\'s"]',
        "lex.txt": b"1 LIVING,ROOM\n2.png room\n",
    }


def use_lexicons(folder: Path) -> None:
    """Each as a lexicon; the last as the official lists of a test set."""
    from data_tools.lexicons import read_lexicon, read_words
    from data_tools.words.wordlist import load_words
    from eval.words.sets import _read_official

    for path in sorted(folder.iterdir()):
        read_words(path), read_lexicon(path)
    _read_official(folder / "lex.txt")
    load_words.__wrapped__(str(folder / "a.txt"), "")


def make_affixes() -> Files:
    """A Hunspell dictionary with its affixes."""
    affixes = (
        "SET UTF-8\nFLAG num\nAF 1\nAF 1,2\nSFX 1 Y 2\nSFX 1 y ies [^aeiou]y\nSFX 1 0 s .\nPFX 2 Y 1\nPFX 2 0 un .\n"
    )
    return {"a.dic": b"2\nlock/1\ncity/2\n", "a.aff": affixes.encode()}


def use_affixes(folder: Path) -> None:
    """All its words."""
    from data_tools.lexicons import read_words

    read_words(folder / "a.dic")


def make_fonts() -> Files:
    """The smallest font that is always there."""
    from data_tools.words.fonts import bundled_folder

    return {"a.ttf": min(bundled_folder().glob("*.ttf"), key=lambda path: path.stat().st_size).read_bytes()}


def use_fonts(folder: Path) -> None:
    """A font index, and a word drawn."""
    from data_tools.words.fonts import FontIndex, font_files

    index = FontIndex(font_files((str(folder),), system=False))
    font = index.open(str(folder / "a.ttf"))
    if font and font.has("ab"):
        font.run("ab"), font.as_drawn("ab")


KINDS = {
    "pictures": Kind(make_pictures, use_pictures),
    "lmdb": Kind(make_lmdb, use_set),
    "gt": Kind(make_folder, use_set, ("gt.txt", "image/a.png")),
    "json": Kind(make_json, use_set, ("labels.json",)),
    "csv": Kind(make_csv, use_set, ("metadata.csv",)),
    "mjsynth": Kind(make_mjsynth, use_set, ("annotation_train.txt", "lexicon.txt")),
    **{name: Kind(partial(make_scenes, name), use_scenes, (SCENES[name][0],)) for name in SCENES},
    "primus": Kind(make_primus, use_set),
    "semantic": Kind(lambda: {"a.semantic": SEMANTIC.encode()}, use_semantic),
    "mei": Kind(make_mei, use_mei),
    "pae": Kind(make_pae, use_pae),
    "weights": Kind(make_weights, use_weights),
    "pickles": Kind(make_pickles, use_pickles),
    "yaml": Kind(make_yaml, use_yaml),
    "lexicons": Kind(make_lexicons, use_lexicons),
    "affixes": Kind(make_affixes, use_affixes),
    "fonts": Kind(make_fonts, use_fonts),
}
