import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinula.errors import InputError, RetinulaError
from retinula.prediction.labels import match_labels, read_labels
from retinula.prediction.predict import Prediction
from retinula.prediction.references import Reference
from retinula.prediction.scoring import score, write_table, write_work_table
from retinula.trained.answers import Answer

CLASSES = ("red", "green", "blue")


def answered(src: str, label: str, probability: float = 0.75) -> Prediction:
    return Prediction(src, (Answer(label, probability), Answer("other", 1 - probability)))


class TestScore:
    def test_counts_what_has_a_label_and_was_read(self) -> None:
        predictions = [
            answered("a", "red"),
            answered("b", "red"),
            answered("c", "blue"),
            answered("unlabelled", "red"),
            Prediction("skipped", skipped="broken"),
        ]
        result = score(predictions, {"a": "red", "b": "green", "c": "blue", "skipped": "red"})
        assert (result.correct, result.total, result.accuracy) == (2, 3, 2 / 3)
        # Wilson's interval for 2 of 3.
        assert (result.low, result.high) == pytest.approx((0.207655, 0.938508), abs=1e-5)

    def test_the_published_score(self) -> None:
        predictions = [answered(str(number), "red" if number < 17 else "blue") for number in range(32)]
        result = score(predictions, {str(number): "red" for number in range(32)})
        assert result.accuracy == 0.53125
        assert (result.low, result.high) == pytest.approx((0.3646, 0.6913), abs=1e-3)

    def test_nothing_to_score(self) -> None:
        with pytest.raises(InputError, match="nothing to score"):
            score([Prediction("a", skipped="broken"), answered("b", "red")], {"a": "red"})


class TestWriteTable:
    def test_columns_say_what_they_are(self, tmp_path: Path) -> None:
        predictions = [
            answered("a.png", "red", 0.987654321),
            answered("b, c.png", "green"),
            Prediction("broken.png", skipped="broken"),
            replace(answered("unlabelled.png", "blue", 1.0), unfamiliar=True),
        ]
        labels = {"a.png": "red", "b, c.png": "blue", "broken.png": "red"}
        write_table(tmp_path / "out.csv", predictions, labels)
        assert (tmp_path / "out.csv").read_text() == (
            "file,label,answer,right,probability,unfamiliar\n"
            "a.png,red,red,True,0.987654,\n"
            '"b, c.png",blue,green,False,0.750000,\n'
            "unlabelled.png,,blue,,1.000000,True\n"
        )
        write_work_table(tmp_path / "work.csv", predictions, labels)
        assert (tmp_path / "work.csv").read_text() == (
            "src,correct,model,correct answer,probability\n"
            "a.png,red,red,True,0.987654\n"
            '"b, c.png",blue,green,False,0.750000\n'
            "unlabelled.png,,blue,,1.000000\n"
        )

    def test_without_labels(self, tmp_path: Path) -> None:
        write_table(tmp_path / "out.csv", [replace(answered("a.png", "red"), unfamiliar=False)])
        assert (tmp_path / "out.csv").read_text().splitlines()[1] == "a.png,,red,,0.750000,False"

    def test_a_column_for_every_class_in_the_order_given(self, tmp_path: Path) -> None:
        answers = (Answer("=red", 0.9999998), Answer("Label", 1.25e-7), Answer("blue", 7.5e-8))
        classes = ("blue", "Label", "=red")
        write_table(tmp_path / "out.csv", [Prediction("a.png", answers)], {"a.png": "blue"}, classes=classes)
        with (tmp_path / "out.csv").open(newline="") as file:
            head, row = csv.reader(file)
        assert head[6:] == ["blue", "probability of Label", "'=red"]
        assert row[6:] == ["7.5e-08", "1.25e-07", "1"]
        assert read_labels(tmp_path / "out.csv") == {"a.png": "blue"}

    @pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@home.png"])
    def test_names_are_not_formulas(self, tmp_path: Path, name: str) -> None:
        write_table(tmp_path / "out.csv", [answered(name, "=1+1")], {name: "=1+1"})
        with (tmp_path / "out.csv").open(newline="") as file:
            _, row = csv.reader(file)
        assert row == [f"./{name}", "'=1+1", "'=1+1", "True", "0.750000", ""]

    def test_standard_input_and_signs_stay(self, tmp_path: Path) -> None:
        write_table(tmp_path / "out.csv", [answered("-", "+")])
        assert (tmp_path / "out.csv").read_text().splitlines()[1] == "-,,+,,0.750000,"

    @given(
        rows=st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\\/ \0"), min_size=1).filter(
                lambda name: name == name.strip() and name not in (".", "..")
            ),
            st.sampled_from(CLASSES),
            min_size=1,
            max_size=5,
        )
    )
    def test_written_tables_can_be_read_and_matched(
        self, rows: dict[str, str], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        path = tmp_path_factory.mktemp("table") / "out.csv"
        write_table(path, [answered(src, "red") for src in rows], rows)
        references = [Reference(src, b"") for src in rows]
        assert match_labels(references, read_labels(path), CLASSES).labels == rows

    @given(name=st.text(st.sampled_from("'=+-@a1"), min_size=1))
    def test_names_of_classes_come_back_as_they_were(self, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("table") / "out.csv"
        write_table(path, [answered("a.png", name)], {"a.png": name})
        assert read_labels(path) == {"a.png": name}

    def test_a_failure_leaves_the_old_table(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        path.write_text("old")
        with pytest.raises(ZeroDivisionError):
            write_table(path, (answered(str(1 // (2 - n)), "red") for n in range(3)))
        assert path.read_text() == "old"
        with pytest.raises(RetinulaError, match="cannot write"):
            write_table(tmp_path / "gone" / "out.csv", [])
