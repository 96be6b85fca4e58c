"""What a file says of itself is read without a runtime, and what reaches outside itself is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

from retinula.errors import InputError
from retinula.files import onnx_file
from retinula.files.onnx_file import read_file, read_metadata
from tiny_onnx import tiny_onnx

CONTENT = tiny_onnx()


def changed(change: str) -> bytes:
    model = onnx.load_from_string(CONTENT)
    outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="/etc/passwd")
    node = helper.make_node("Identity", ["images"], ["same"])
    branch = helper.make_graph([], "b", [], [], initializer=[outside])
    match change:
        case "initializer":
            model.graph.initializer.append(outside)
        case "attribute":
            model.graph.node.append(helper.make_node("Constant", [], ["c"], value=outside))
        case "branch":
            model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch))
        case "function":
            inner = helper.make_node("Constant", [], ["c"], value=outside)
            model.functions.append(helper.make_function("mine", "f", [], ["c"], [inner], model.opset_import))
        case "domain":
            node.domain = "evil"
            model.graph.node.append(node)
        case "training":
            model.training_info.add().algorithm.CopyFrom(branch)
        case "sparse":
            model.graph.sparse_initializer.add().values.CopyFrom(outside)
    return bytes(model.SerializeToString())


def test_metadata_is_what_onnx_reads() -> None:
    expected = {entry.key: entry.value for entry in onnx.load_from_string(CONTENT).metadata_props}
    assert read_metadata(CONTENT) == expected
    assert expected["retinula_format"] == "1"


@pytest.mark.parametrize("place", ["initializer", "attribute", "branch", "function", "training", "sparse"])
def test_weights_in_other_files_are_refused_wherever_they_are(place: str) -> None:
    with pytest.raises(InputError, match="weights lie in other files"):
        read_metadata(changed(place))


def test_foreign_functions_are_refused() -> None:
    with pytest.raises(InputError, match="not of ONNX: 'evil'"):
        read_metadata(changed("domain"))


def test_deep_nesting_is_refused() -> None:
    graph = helper.make_graph([], "inner", [], [])
    for _ in range(15):
        node = helper.make_node("If", ["c"], ["d"], then_branch=graph)
        graph = helper.make_graph([node], "outer", [], [])
    with pytest.raises(InputError, match="inside each other"):
        read_metadata(ModelProto(graph=graph).SerializeToString())


@given(st.integers(0, len(CONTENT) - 1))
def test_a_file_cut_short_is_refused_or_whole_up_to_there(length: int) -> None:
    try:
        metadata = read_metadata(CONTENT[:length])
    except InputError as error:
        assert "ONNX file" in str(error)  # noqa: PT017 - most cuts end here, a few between two fields
    else:
        assert len(metadata) < len(read_metadata(CONTENT))


@given(st.binary(max_size=300))
def test_noise_is_refused_in_one_way(content: bytes) -> None:
    with pytest.raises(InputError):
        read_metadata(content)


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_read_or_refused(place: int, change: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] ^= change
    try:
        read_metadata(bytes(damaged))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


def test_files_are_looked_at_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").write_bytes(CONTENT)
    assert read_file(tmp_path / "model.onnx") == CONTENT
    with pytest.raises(InputError, match=r"missing.onnx: no such file"):
        read_file(tmp_path / "missing.onnx")
    with pytest.raises(InputError, match="cannot be read"):
        read_file(tmp_path)
    with pytest.raises(InputError, match="not an ordinary file"):
        read_file(Path("/dev/zero"))
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 100)
    with pytest.raises(InputError, match=r"model.onnx: larger than 100 bytes"):
        read_file(tmp_path / "model.onnx")


def test_the_tiny_model_is_one() -> None:
    onnx.checker.check_model(onnx.load_from_string(CONTENT), full_check=True)
    assert np.frombuffer(CONTENT, np.uint8).size < 20_000
