import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from retinula.errors import InputError
from retinula.files.tensor_file import CHECKSUM_KEY, HEADER_KEY, checksum, load_tensors, save_tensors

TENSORS = {
    "weights": torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "step": torch.tensor(7),
    "empty": torch.empty(0, 3),
    "flags": torch.tensor([True, False]),
}


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {**TENSORS, "weights": TENSORS["weights"].to(memory_format=torch.channels_last)}
    save_tensors(path, tensors, {"a": [1, "ü", None]})
    loaded, header = load_tensors(path)
    assert header == {"a": [1, "ü", None]}
    assert loaded.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


def test_a_folder_may_be_called_in_another_encoding(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")) / "a.safetensors"
    try:
        path.parent.mkdir()
    except OSError:
        pytest.skip("names are UTF-8 here")
    save_tensors(path, TENSORS, {"a": 1})
    loaded, header = load_tensors(path)
    assert (loaded.keys(), header) == (TENSORS.keys(), {"a": 1})
    path.write_bytes(b"")
    with pytest.raises(InputError, match="not a safetensors file, or cut short"):
        load_tensors(path)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, TENSORS, {"a": 1})
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        broken = bytearray(content)
        broken[place] ^= 0x01
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"a\.safetensors"):
            load_tensors(path)


def test_a_checksum_is_the_same_in_every_version() -> None:
    """Or all files written before would be called damaged."""
    tensors = {"b": torch.ones(3, dtype=torch.bfloat16), "a": torch.arange(6.0).view(2, 3), "n": torch.tensor(7)}
    wanted = "7378490ab26610e3f017d16196ddbc82c5bb4298ee96280763770b2fba463bec"
    assert checksum(tensors, '{"ü": 1}') == wanted


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="not a safetensors file, or cut short"):
        load_tensors(path)


def test_a_file_that_is_there_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library says so of whatever it cannot open."""
    path = tmp_path / "a.safetensors"
    save_tensors(path, TENSORS, {})

    def closed(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(InputError, match=r"a\.safetensors: cannot be read \(Permission denied\)"):
        load_tensors(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.ones(2)}, path)
    with pytest.raises(InputError, match="but not one that retinula wrote"):
        load_tensors(path)
    with pytest.raises(InputError, match="no such file"):
        load_tensors(tmp_path / "missing")
    with pytest.raises(InputError, match="no such file"):
        load_tensors(tmp_path)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e999}', r'{"a": "\ud800"}', "{", "[" * 100_000])
def test_a_header_that_could_not_be_written_again_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(TENSORS, path, metadata={HEADER_KEY: text, CHECKSUM_KEY: checksum(TENSORS, text)})
    with pytest.raises(InputError, match=r"a\.safetensors: its header is not readable"):
        load_tensors(path)
