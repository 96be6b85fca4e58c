"""What a file or folder is taken for."""

from pathlib import Path

import pytest

from retinula.datasets.source_kind import SourceKind, kind_of_source


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "table"),
        ("a.TSV", "table"),
        ("a.Npz", "arrays"),
        ("a.zip", "archive"),
        ("a.tar.GZ", "archive"),
        ("a.gz", "unknown"),
        ("a.rar", "unknown"),
        ("a", "unknown"),
    ],
)
def test_a_file_by_its_ending_and_a_folder_whatever_its_name(tmp_path: Path, name: str, kind: SourceKind) -> None:
    assert kind_of_source(tmp_path / name) == "unknown"
    (tmp_path / name).touch()
    assert kind_of_source(tmp_path / name) == kind
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert kind_of_source(tmp_path / name) == "folder"
