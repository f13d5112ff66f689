"""Pickles: what the frameworks write is read, and nothing that a pickle asks for is ever run."""

import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from crnn_jt.pickles import read_pickle
from data_tools.errors import UserError

DATA = Path(__file__).parent / "data"


@pytest.fixture
def written(tmp_path):
    def write(content: bytes) -> Path:
        path = tmp_path / "weights.pkl"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("name", ["torch-zip.pth", "torch-legacy.pth"])
def test_what_torch_saves_is_read_with_views_halves_and_scalars(name):
    found = read_pickle(DATA / name)
    assert np.array_equal(found["a.weight"], np.arange(6).reshape(2, 3).T) and found["a.weight"].dtype == np.float32
    assert found["b.half"].dtype == np.float16 and found["b.half"].tolist() == [1, 1]
    assert found["b.bf"].dtype == np.float32 and found["b.bf"].tolist() == [1.5]
    assert found["n"].shape == () and found["n"] == 7


def test_a_checkpoint_keeps_its_nesting():
    found = read_pickle(DATA / "torch-checkpoint.pth")
    assert found["epoch"] == 1 and found["state_dict"]["weight"].shape == (3, 2) and found["p"].tolist() == [1, 1]


def test_what_jittor_saves_is_read_and_its_check_sum_is_checked(written):
    found = read_pickle(DATA / "jittor.pkl")
    assert found["a.weight"].shape == (3, 2) and found["b.running_var"].tolist() == [1, 1, 1]
    content = bytearray((DATA / "jittor.pkl").read_bytes())
    content[content.index(b"\xcbf\x1e\xbf")] ^= 1
    with pytest.raises(UserError, match="check sum"):
        read_pickle(written(bytes(content)))


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_pickle_protocol_are_read(written, protocol):
    arrays = OrderedDict(
        a=np.arange(6, dtype=np.float32).reshape(2, 3),
        f=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        big=np.arange(3, dtype=">f4"),
        e=np.zeros((0, 4), np.float32),
    )
    found = read_pickle(written(pickle.dumps({**arrays, "lr": np.float64(0.5)}, protocol)))
    assert all(np.array_equal(found[key], arrays[key]) for key in arrays) and found["lr"] == 0.5


class Asks:
    """What its pickle asks for when it is loaded."""

    def __init__(self, function, *arguments):
        self.asked = function, arguments

    def __reduce__(self):
        return self.asked


def _dangers(trace: Path) -> dict[str, object]:
    command = f"touch {trace}"
    return {
        "os.system": Asks(os.system, command),
        "eval": Asks(eval, f"open({str(trace)!r}, 'w')"),
        "exec": Asks(exec, f"open({str(trace)!r}, 'w')"),
        "popen": Asks(subprocess.Popen, ["touch", str(trace)]),
        "getattr": Asks(getattr, [], "append"),
        "import": Asks(__import__, "os"),
        "open": Asks(open, str(trace), "w"),
        "numpy loads pickles": Asks(np.load, str(trace)),
        "deep inside": {"state_dict": {"x": [1, (2, Asks(os.system, command))]}},
    }


@pytest.mark.parametrize("name", _dangers(Path("x")))
@pytest.mark.parametrize("wrap", ["plain", "zip", "jittor"])
def test_a_hostile_pickle_runs_nothing_and_is_refused_by_name(written, tmp_path, name, wrap):
    trace = tmp_path / "trace"
    content = pickle.dumps(_dangers(trace)[name], 2)
    if wrap == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", content)
        content = buffer.getvalue()
    elif wrap == "jittor":
        content += __import__("hashlib").sha1(content).digest() + b"HCAJSLHD"
    with pytest.raises(UserError, match="nothing of it was run") as raised:
        read_pickle(written(content))
    assert not trace.exists() and "\n" not in str(raised.value)


def test_a_whole_model_is_refused_and_the_remedy_said():
    with pytest.raises(UserError, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict"):
        read_pickle(DATA / "torch-module.pth")


BUILD_ON_A_NAME = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x04\x00\x00\x00makeK\x01sb."
INST = b"(S'x'\nios\nsystem\n."
DOTTED = b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__class__\x93."
EXTENSION = b"\x80\x02\x82\x01."


@pytest.mark.parametrize("content", [BUILD_ON_A_NAME, INST, DOTTED, EXTENSION], ids=["build", "inst", "dotted", "ext"])
def test_other_ways_to_reach_an_object_are_closed_too(written, content):
    with pytest.raises(UserError):
        read_pickle(written(content))
    read_pickle(DATA / "torch-zip.pth")  # and the next file is read as ever


def test_an_array_of_objects_is_refused(written):
    with pytest.raises(UserError, match="not plain numbers"):
        read_pickle(written(pickle.dumps({"a": np.array([{}, None], dtype=object)})))


@pytest.mark.parametrize("name", ["torch-zip.pth", "torch-legacy.pth", "jittor.pkl"])
def test_a_file_cut_off_anywhere_or_with_a_flipped_byte_is_one_line(written, name):
    content = (DATA / name).read_bytes()
    for end in range(0, len(content) - 1, 23):
        with pytest.raises(UserError):
            read_pickle(written(content[:end]))
    for place in range(0, len(content), 11):
        try:
            read_pickle(written(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]))
        except UserError as error:
            assert "\n" not in str(error)


def test_noise_text_and_lists_are_no_weights(written):
    for content in (b"", b"hello", os.urandom(500), pickle.dumps([1, 2]), pickle.dumps("text")):
        with pytest.raises(UserError, match=r"weights\.pkl"):
            read_pickle(written(content))


def test_a_small_file_cannot_claim_much_memory(written):
    tensor = "ctorch._utils\n_rebuild_tensor_v2\n"
    storage = "(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ%stQ"
    count = storage.encode("latin-1").replace(b"%s", struct.pack("<i", 1 << 30))
    shape = b"K\x00J" + struct.pack("<i", 1 << 30) + b"\x85K\x01\x85\x89}tR"
    content = b"\x80\x02}X\x01\x00\x00\x00a" + tensor.encode() + b"(" + count + shape + b"s."
    pickletools.dis(content, io.StringIO())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", b"\0" * 16)
    with pytest.raises(UserError, match="has 16 bytes"):
        read_pickle(written(buffer.getvalue()))


@pytest.mark.parametrize("place", [100_000, 2**28, 2**32 - 1])
def test_a_small_file_cannot_claim_a_huge_memo(written, place):
    """Found by fuzzing: the unpickler would allocate 16 bytes for each place up to the one that is named."""
    content = b"\x80\x02}r" + struct.pack("<I", place) + b"."
    with pytest.raises(UserError, match="claims more objects than it has bytes"):
        read_pickle(written(content))


def test_a_nest_of_lists_ends(written):
    nest = []
    for _ in range(200):
        nest = [nest, nest]
    with pytest.raises(UserError, match="more things"):
        read_pickle(written(pickle.dumps({"a": nest})))


def test_neither_framework_is_imported():
    code = f"""if True:
        import sys
        from crnn_jt.pickles import read_pickle
        read_pickle({str(DATA / "torch-zip.pth")!r}), read_pickle({str(DATA / "jittor.pkl")!r})
        assert not {{"torch", "jittor"}} & set(sys.modules)"""
    subprocess.run([sys.executable, "-c", code], cwd=DATA.parents[2], check=True)
