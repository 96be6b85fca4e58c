import os
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_cifar
from retinula.datasets import pickles
from retinula.errors import InputError


def same(one: Any, other: Any) -> bool:
    """Equality that looks into arrays and tells types apart."""
    if isinstance(other, np.ndarray):
        return isinstance(one, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in other)
    if isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


arrays = st.builds(
    lambda shape, dtype, order, seed: np.array(
        np.random.default_rng(seed).integers(0, 100, shape), dtype=dtype, order=order
    ),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from(["u1", "i1", "<i2", ">u2", "<i4", ">i8", "<u8"]),
    st.sampled_from(["C", "F"]),
    st.integers(0, 5),
)
strings = st.one_of(st.text(max_size=300), st.binary(max_size=300))
values = st.recursive(
    st.one_of(strings, st.integers(-(2**63), 2**63), arrays),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(strings, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=60)
@given(values, st.integers(0, 5))
def test_reads_what_python_3_writes_in_every_protocol(value: Any, protocol: int) -> None:
    assert same(pickles.load(pickle.dumps(value, protocol=protocol), "a"), value)


def test_reads_what_python_2_writes() -> None:
    data = np.arange(600, dtype=np.uint8).reshape(2, 300)
    value = {"labels": [1, 300, -70000], "data": data, "filenames": ["a.png", "b" * 300], "wide": np.array([[1, -2]])}
    content = tiny_cifar.python2_pickle(value)
    assert [code.name for code, _, _ in pickletools.genops(content)][-1] == "STOP"
    found = pickles.load(content, "a")
    expected = {
        b"labels": [1, 300, -70000],
        b"data": data,
        b"filenames": [b"a.png", b"b" * 300],
        b"wide": np.array([[1, -2]]),
    }
    assert same(found, expected)
    assert same(found, pickle.loads(content, encoding="bytes"))


def test_reads_the_oldest_protocol_of_python_2() -> None:
    content = (
        b"(dp1\nS'num_cases_per_batch'\np2\nI10000\nsS'label_names'\np3\n(lp4\nS'airplane'\np5\naS\"it's\"\np6\na"
        b"S'a\\x00\\n\\\\'\np7\nasS'big'\np8\nL12345678901L\ns."
    )
    expected = {
        b"num_cases_per_batch": 10000,
        b"label_names": [b"airplane", b"it's", b"a\0\n\\"],
        b"big": 12345678901,
    }
    assert same(pickles.load(content, "a"), expected)
    assert same(pickle.loads(content, encoding="bytes"), expected)


def test_reads_the_names_of_old_and_new_numpy() -> None:
    array = np.arange(4, dtype=np.uint8)
    for protocol in (2, 5):
        content = pickle.dumps(array, protocol=protocol)
        new = content.replace(b"numpy.core.", b"numpy._core.")
        old = new.replace(b"numpy._core.", b"numpy.core.")
        if protocol == 5:  # where names carry their length
            old = old.replace(b"\x8c\x13numpy.core.", b"\x8c\x12numpy.core.").replace(b"\x95", b"\x95", 1)
        assert same(pickles.load(old, "a"), array)
        assert same(pickles.load(new, "a"), array)


def test_a_number_of_numpy_becomes_a_number() -> None:
    assert same(pickles.load(pickle.dumps([np.int64(7), np.uint8(200)]), "a"), [7, 200])


def test_an_array_remembered_in_two_places_is_one_array() -> None:
    array = np.arange(3)
    one, other = pickles.load(pickle.dumps([array, array], protocol=2), "a")
    assert one is other
    assert same(one, array)


def test_long_strings_are_not_copied() -> None:
    found = pickles.load(pickle.dumps(bytes(100_000)), "a")
    assert isinstance(found, memoryview)
    assert found == bytes(100_000)


class Trap:
    """Runs a command when unpickled."""

    def __init__(self, *call: Any):
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize("protocol", range(6))
def test_calls_nothing(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "made"
    content = pickle.dumps({"labels": [Trap(os.mkdir, str(target))]}, protocol=protocol)
    with pytest.raises(InputError, match=r"^a is refused: it asks for (posix|nt)\.mkdir$"):
        pickles.load(content, "a")
    assert not target.exists()
    pickle.loads(content)
    assert target.exists()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (np.array([1.5]), "an array of 'f8'"),
        (np.array([object()]), "an array of 'O8'"),
        (np.array(["a"]), "an array of 'U1'"),
        (np.zeros(2, dtype=[("a", "u1")]), "an array of 'V1'"),
        (1.5, "it asks for more than"),
        ({1: 2}, "keys that are no strings"),
        ({("a",): 2}, "keys that are no strings"),
        ({1, 2}, "it asks for more than"),
        (OrderedDict(a=1), r"collections\.OrderedDict"),
        (Path, r"pathlib\.Path"),
        (np.ma.masked_array([1]), r"numpy\.ma"),
    ],
)
def test_refuses_all_else(value: Any, why: str) -> None:
    with pytest.raises(InputError, match=f"^a is refused: .*{why}"):
        pickles.load(pickle.dumps(value, protocol=4), "a")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a complete pickle"),
        (b".", "damaged"),
        (b"K\1K\2.", "damaged"),
        (b"\x80\2]q\0K\1b.", "changes something that is no array"),
        (b"K\1K\2a.", "no list"),
        (b"](K\1u.", "no dictionary"),
        (b"}(K\1e.", "no list"),
        (b"cnumpy\ndtype\nK\1R.", "calls what is no name"),
        (b"K\1)R.", "calls what is no name"),
        (b"cnumpy\nndarray\n)R.", "calls ndarray"),
        (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n(K\0tU\1b\x87R.", "an array that is none"),
        (b"c_codecs\nencode\nX\1\0\0\0aX\5\0\0\0rot13\x86R.", "encodes as rot13"),
        (b"c_codecs\nencode\n)R.", "calls encode with something else than that takes"),
        (b"cnumpy\ndtype\nK\1\x85R.", "something else where a name should be"),
        (b"cnumpy\ndtype\nU\2u1\x85RU\4aaaab.", "fills an array by something else than a tuple"),
        (b"X\3\0\0\0a\nbX\3\0\0\0\xed\xb2\x80\x93.", r"it asks for a\\nb\.\\udc80$"),
        (b"S'a' + b'b'\n.", "a string that is none"),
        (b"S__import__('os')\n.", "a string that is none"),
        (b"I" + b"9" * 30 + b"\n.", "impossible length"),
        (b"T\xff\xff\xff\xff.", "not a complete pickle"),
        (b"T\0\0\0\x7fx.", "not a complete pickle"),
        (b"\x8e" + b"\xff" * 8 + b".", "not a complete pickle"),
        (b"X\2\0\0\0\xff\xff.", "damaged"),
        (b"h\7.", "not a complete pickle"),
        (b"P1\n.", "asks for more"),
        (b"\x82\1.", "asks for more"),
        (b"(i__main__\nTrap\n.", "asks for more"),
    ],
)
def test_refuses_malformed_programs(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        pickles.load(content, "a")
    assert str(caught.value).startswith("a is ")
    assert "\n" not in str(caught.value)


def array_pickle(shape: bytes, data: bytes, kind: bytes = b"u1", rest: bytes = b"NNN") -> bytes:
    return (
        b"\x80\2cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1" + shape
        + b"cnumpy\ndtype\nU" + bytes([len(kind)]) + kind + b"K\0K\1\x87R(K\3U\1|" + rest
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U" + bytes([len(data)]) + data + b"tb."
    )  # fmt: skip


def test_an_array_must_fit_its_shape() -> None:
    assert same(pickles.load(array_pickle(b"K\2K\3\x86", b"abcdef"), "a"), np.frombuffer(b"abcdef", "u1").reshape(2, 3))
    for shape in (
        b"K\2K\2\x86",
        b"J\xff\xff\xff\xffJ\xfa\xff\xff\xff\x86",
        b"U\1a\x85",
        b"K\6",
        b"(" + b"K\1" * 9 + b"K\6t",
    ):
        with pytest.raises(InputError, match="refused: it has an array"):
            pickles.load(array_pickle(shape, b"abcdef"), "a")
    with pytest.raises(InputError, match="array of records"):
        pickles.load(array_pickle(b"K\6\x85", b"abcdef", rest=b"N(U\1at}"), "a")


# A pair of the pair before, sixty times over: in two hundred bytes more than could ever be written out or hashed.
NESTED = b")q\0" + b"".join(b"0h" + bytes([n, ord("h"), n]) + b"\x86q" + bytes([n + 1]) for n in range(60))


@pytest.mark.parametrize(
    "content",
    [
        b"X\1\0\0\0a" + NESTED + b"\x93.",
        NESTED + b"X\1\0\0\0a\x93.",
        b"c_codecs\nencode\nX\1\0\0\0a" + NESTED + b"\x86R.",
        b"cnumpy\ndtype\n" + NESTED + b"\x85R.",
        b"cnumpy.core.multiarray\n_reconstruct\n" + NESTED + b"K\0\x85U\1b\x87R.",
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + NESTED + b"U\1b\x87R.",
        b"cnumpy\ndtype\nU\2u1\x85R(K\3" + NESTED + b"NNNtb.",
        array_pickle(NESTED, b"a"),
        array_pickle(NESTED + b"\x85", b"a"),
        b"}" + NESTED + b"K\1s.",
        NESTED + b"K\1a.",
    ],
)
def test_what_is_nested_without_end_is_refused_at_once(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^a is refused: ") as caught:
        pickles.load(content, "a")
    assert len(str(caught.value)) < 200


def test_shapes_beyond_all_reason_are_refused() -> None:
    with pytest.raises(InputError, match="an array of impossible shape"):
        pickles.load(array_pickle(b"K\0\x8a\xff" + b"\x7f" * 255 + b"\x86", b""), "a")


def test_one_long_text_is_not_copied_over_and_over() -> None:
    text = b"X" + (1000).to_bytes(4, "little") + b"a" * 1000
    again = b"c_codecs\nencode\nq\0" + text + b"X\6\0\0\0latin1\x86q\1R"
    assert pickles.load(again + b".", "a") == b"a" * 1000
    with pytest.raises(InputError, match="more bytes than it has"):
        pickles.load(again + b"h\0h\1R.", "a")


def test_a_far_place_in_memory_costs_nothing() -> None:
    # The standard library makes a table as long as the number says: 16 GB of it.
    assert pickles.load(b"K\1r\xff\xff\xff\x7fj\xff\xff\xff\x7f\x86.", "a") == (1, 1)


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MAX_INSTRUCTIONS", 1000)
    with pytest.raises(InputError, match="longer than 1,000 instructions"):
        pickles.load(b"]" * 1001, "a")
    monkeypatch.setattr(pickles, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="1,001 bytes, more than 1,000"):
        pickles.load(b"]" * 1001, "a")


def test_every_cut_is_noticed() -> None:
    value = {"labels": [1, 300], "data": np.arange(6, dtype=np.uint8).reshape(2, 3), "names": ["a", "b" * 300]}
    for content in (tiny_cifar.python2_pickle(value), pickle.dumps(value, protocol=0), pickle.dumps(value, protocol=5)):
        for length in range(len(content)):
            with pytest.raises(InputError):
                pickles.load(content[:length], "a")


def test_damage_gives_an_error_or_a_value_and_never_anything_else() -> None:
    value = {"labels": [1, 300], "data": np.arange(6, dtype=np.uint8).reshape(2, 3), "names": ["a", "é"]}
    generator = np.random.default_rng(0)
    originals = [tiny_cifar.python2_pickle(value), *(pickle.dumps(value, protocol=number) for number in range(6))]
    outcomes = {"value": 0, "error": 0}
    for _ in range(3000):
        content = bytearray(originals[generator.integers(len(originals))])
        for _ in range(generator.integers(1, 4)):
            content[generator.integers(len(content))] = generator.integers(256)
        try:
            pickles.load(bytes(content), "a")
            outcomes["value"] += 1
        except InputError:
            outcomes["error"] += 1
    assert min(outcomes.values()) > 100


@given(st.binary(max_size=200))
def test_rubbish_gives_an_error_or_a_value(content: bytes) -> None:
    message = ""
    try:
        pickles.load(content + b".", "a")
    except InputError as error:
        message = str(error)
    assert "\n" not in message
