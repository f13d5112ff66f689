"""The cache of chunks: what is kept is what was made, by whoever came first; damaged files are made again."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from data_tools.chunks import Chunk, ChunkCache
from data_tools.errors import UserError
from data_tools.loader import text_loader
from data_tools.sample import CorruptSample
from data_tools.transforms import ResizeProportional
from data_tools.words import Recipe, RenderedWords

POLICY = ResizeProportional(16, 8, 80, 8)


def chunk() -> Chunk:
    shapes = {"1": (2, 12), "2": (3, 8)}
    pixels = dict(zip(shapes, np.arange(48, dtype=np.uint8).reshape(2, 24)))
    records = [
        {"pixels": pixels[key].reshape(shapes[key]), "scale": np.array(key, np.float32), "text": text, "key": key}
        for key, text in (("1", "é"), ("2", "b"))
    ]
    return Chunk(records, [CorruptSample("3", "torn"), CorruptSample("4", "blank", "label")])


def texts(made: Chunk) -> list[str]:
    return [record["text"] for record in made.records]


def check_whole(made: Chunk) -> None:
    assert texts(made) == ["é", "b"] and [record["key"] for record in made.records] == ["1", "2"]
    assert [record["pixels"].shape for record in made.records] == [(2, 12), (3, 8)]
    assert np.concatenate([record["pixels"].reshape(-1) for record in made.records]).tolist() == list(range(48))
    assert [(record["scale"].shape, float(record["scale"])) for record in made.records] == [((), 1.0), ((), 2.0)]
    assert {record["pixels"].dtype.name for record in made.records} == {"uint8"}
    assert [(str(sample), sample.part) for sample in made.skipped] == [("3: torn", "image"), ("4: blank", "label")]


def no_making() -> Chunk:
    raise AssertionError("made again")


def test_a_kept_chunk_is_the_one_that_was_made(tmp_path):
    made = ChunkCache(tmp_path, "task").get(chunk, b"1")
    kept = ChunkCache(tmp_path, "task").get(no_making, b"1")
    for each in (made, kept, pickle.loads(pickle.dumps(made))):
        check_whole(each)


@pytest.mark.parametrize("skipped", [[], [CorruptSample("3", "torn")]])
def test_a_chunk_without_one_good_sample_travels_and_is_kept(tmp_path, skipped):
    cache = ChunkCache(tmp_path, "task")
    cache.get(lambda: Chunk([], skipped), b"1")
    for each in (cache.get(no_making, b"1"), pickle.loads(pickle.dumps(Chunk([], skipped)))):
        assert list(each.records) == [] and [str(sample) for sample in each.skipped] == [*map(str, skipped)]


@pytest.mark.parametrize("counts", [(0, 0, 0), (2, 0, 1), (1, 1, 1)])
def test_fields_of_no_or_few_elements_keep_their_shapes(counts):
    """Photographs without text, all of a chunk or some."""
    made = Chunk([{"points": np.ones((count, 2), np.float32), "key": "a"} for count in counts])
    kept = pickle.loads(pickle.dumps(made))
    assert [record["points"].shape for record in kept.records] == [(count, 2) for count in counts]


def test_a_field_of_two_types_is_refused_and_not_converted():
    """A collate that gives uint8 here and float there would otherwise change pixels on their way."""
    mixed = Chunk([{"pixels": np.zeros(2, np.uint8)}, {"pixels": np.zeros(2, np.float32)}])
    with pytest.raises(TypeError, match="pixels"):
        pickle.dumps(mixed)


def test_pixels_travel_as_one_array():
    """Thousands of small arrays in a message would take longer to unpickle than to make."""
    chunk = Chunk([{"pixels": np.zeros((1, 4, 4), np.uint8), "text": "a", "key": str(n)} for n in range(100)])
    assert len(pickle.dumps(chunk)) < 100 * 50


def test_other_samples_and_other_tasks_are_made_anew(tmp_path):
    ChunkCache(tmp_path, "task").get(chunk, b"1")
    for task, identity in (("task", b"2"), ("other task", b"1")):
        with pytest.raises(AssertionError, match="made again"):
            ChunkCache(tmp_path, task).get(no_making, identity)


@pytest.mark.parametrize("damage", [lambda whole: whole[:-30], lambda whole: b"", lambda whole: b"no archive at all"])
def test_a_damaged_file_is_made_again(tmp_path, damage):
    cache = ChunkCache(tmp_path, "task")
    cache.get(chunk, b"1")
    (file,) = cache.folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert texts(cache.get(chunk, b"1")) == ["é", "b"]
    assert texts(cache.get(no_making, b"1")) == ["é", "b"]


def test_one_makes_it_while_the_others_wait(tmp_path):
    cache, made = ChunkCache(tmp_path, "task"), []

    def making():
        made.append(1)
        return chunk()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get(making, b"1"), range(8)))
    assert len(made) == 1 and all(texts(each) == ["é", "b"] for each in found)


def test_a_chunk_that_its_maker_left_is_made(tmp_path):
    cache = ChunkCache(tmp_path, "task")
    with pytest.raises(AssertionError):
        cache.get(no_making, b"1")  # who fails leaves nothing behind
    assert not list(cache.folder.iterdir())
    cache.get(chunk, b"1")
    (file,) = cache.folder.iterdir()
    left = file.with_suffix(".busy")
    left.touch()
    file.unlink()
    os.utime(left, (0, 0))
    assert texts(cache.get(chunk, b"1")) == ["é", "b"]


def test_a_maker_that_was_killed_is_not_waited_for(tmp_path):
    """A training that ends by SIGKILL in the middle of a chunk must not hold up those that run beside it."""
    cache = ChunkCache(tmp_path, "task")
    code = (
        "import sys, time; from data_tools.chunks import ChunkCache\n"
        "def make(): print('at it', flush=True); time.sleep(600)\n"
        "ChunkCache(sys.argv[1], 'task').get(make, b'1')"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as maker:
        maker.stdout.readline()
        assert list(cache.folder.glob("*.busy"))
        maker.kill()
    assert texts(cache.get(chunk, b"1")) == ["é", "b"]
    assert not list(cache.folder.glob("*.busy"))


def test_batches_are_the_same_with_a_cache_and_nothing_is_rendered_twice(tmp_path):
    options = {"seed": 3, "window": 2, "workers": 2}
    reader = RenderedWords(7, 24, Recipe(system_fonts=False))
    loaders = [text_loader(reader, POLICY, 4, **options, cache=cache) for cache in (None, str(tmp_path), str(tmp_path))]
    plain, first, second = (list(loader.batches()) for loader in loaders)
    for batch, *others in zip(plain, first, second):
        for other in others:
            assert np.array_equal(batch.images, other.images) and batch.texts == other.texts
    assert len(list(tmp_path.rglob("*.npz"))) == 6
    for loader in loaders:
        loader.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"--cache .*file"):
        ChunkCache(tmp_path / "file", "task")
