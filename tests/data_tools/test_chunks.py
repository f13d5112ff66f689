"""The cache of chunks: what is kept is what was made, by whoever came first; damaged files are made again."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from data_tools.chunks import Chunk, ChunkCache
from data_tools.errors import UserError
from data_tools.loader import Loader
from data_tools.sample import CorruptSample
from data_tools.transforms import ResizeProportional
from data_tools.words import Recipe, RenderedWords

POLICY = ResizeProportional(16, 8, 80, 8)


def chunk() -> Chunk:
    return Chunk(
        np.arange(48, dtype=np.uint8), np.array([1, 2], np.int32), ["é", "b"], ["1", "2"], [CorruptSample("3", "torn")]
    )


def no_making() -> Chunk:
    raise AssertionError("made again")


def test_a_kept_chunk_is_the_one_that_was_made(tmp_path):
    made = ChunkCache(tmp_path, "task").get(chunk, b"1")
    kept = ChunkCache(tmp_path, "task").get(no_making, b"1")
    for each in (made, kept):
        assert each.texts == ["é", "b"] and each.keys == ["1", "2"] and each.widths.tolist() == [1, 2]
        assert each.pixels.tolist() == list(range(48)) and str(each.skipped[0]) == "3: torn"


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
    assert cache.get(chunk, b"1").texts == ["é", "b"]
    assert cache.get(no_making, b"1").texts == ["é", "b"]


def test_one_makes_it_while_the_others_wait(tmp_path):
    cache, made = ChunkCache(tmp_path, "task"), []

    def making():
        made.append(1)
        return chunk()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get(making, b"1"), range(8)))
    assert len(made) == 1 and all(each.texts == ["é", "b"] for each in found)


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
    assert cache.get(chunk, b"1").texts == ["é", "b"]


def test_batches_are_the_same_with_a_cache_and_nothing_is_rendered_twice(tmp_path):
    options = {"seed": 3, "window": 2, "workers": 2}
    reader = RenderedWords(7, 24, Recipe(system_fonts=False))
    loaders = [Loader(reader, POLICY, 4, **options, cache=cache) for cache in (None, str(tmp_path), str(tmp_path))]
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
