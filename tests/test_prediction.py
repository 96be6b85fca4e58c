import csv
import io
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retinula.answers import Answer
from retinula.errors import InputError, RetinulaError
from retinula.familiarity import fit_familiarity
from retinula.model_file import Model
from retinula.prediction import (
    Prediction,
    Reference,
    class_number,
    find_pictures,
    match_labels,
    predict_files,
    read_labels,
    score,
    without_picture,
    write_table,
)
from retinula.shrinking import Views
from retinula.transforms.preprocess import Preprocess

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
CLASSES = tuple(COLOURS)


class MeanColour(torch.nn.Module):
    """Its logits are twice the means of the channels, and it remembers the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(inputs))
        return 2 * inputs.mean((2, 3))


@pytest.fixture
def model() -> Model:
    preprocess = Preprocess(channels=3, size=(4, 4), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Model(MeanColour(), "cifar10-cnn", {}, CLASSES, preprocess)


def picture(colour: str, size: tuple[int, int] = (9, 7)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


def written(where: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(content)
    return where


def sources(references: Sequence[Reference], below: Path | None = None) -> list[str]:
    return [str(Path(src).relative_to(below)) if below else src for src, _, _ in references]


class TestFindPictures:
    @pytest.fixture
    def photos(self, tmp_path: Path) -> Path:
        names = ["b/10.png", "b/9.JPG", "a.png", "a.txt", ".hidden.png", "c/deep/er/1.webp", "__MACOSX/x.png"]
        return written(tmp_path / "photos", dict.fromkeys(names, b"x"))

    def test_a_folder_with_all_below_in_natural_order(self, photos: Path) -> None:
        references = find_pictures([str(photos)])
        assert sources(references, photos) == ["a.png", "b/9.JPG", "b/10.png", "c/deep/er/1.webp"]
        assert all(reference.content == Path(reference.src) for reference in references)

    def test_files_in_the_order_given_whatever_their_names(self, photos: Path) -> None:
        given_order = [str(photos / "b/10.png"), str(photos / "a.txt"), str(photos / "a.png")]
        assert sources(find_pictures(given_order)) == given_order

    def test_each_once(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(photos)
        references = find_pictures(["b/9.JPG", "b", str(photos / "b"), "./b/*.png"])
        assert sources(references) == ["b/9.JPG", "b/10.png"]

    def test_names_begin_as_written(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(photos)
        assert sources(find_pictures(["b"])) == ["b/9.JPG", "b/10.png"]
        assert sources(find_pictures(["../photos/a.png"])) == ["../photos/a.png"]

    def test_patterns(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(photos)
        assert sources(find_pictures(["[a-c]*"])) == ["a.png", "b/9.JPG", "b/10.png", "c/deep/er/1.webp"]
        assert sources(find_pictures(["[b-c]/**/*.*"])) == ["b/9.JPG", "b/10.png", "c/deep/er/1.webp"]
        assert sources(find_pictures([f"{photos}/b/[0-9].*"])) == [f"{photos}/b/9.JPG"]
        with pytest.raises(InputError, match=r"no picture fits z\*\.png"):
            find_pictures(["z*.png"])

    def test_a_name_with_brackets_is_a_file_first(self, photos: Path) -> None:
        written(photos, {"img[1].png": b"x"})
        assert sources(find_pictures([str(photos / "img[1].png")])) == [str(photos / "img[1].png")]

    def test_missing(self, photos: Path) -> None:
        with pytest.raises(InputError, match=r"there is no file or folder .*/nothing\.png"):
            find_pictures([str(photos / "a.png"), str(photos / "nothing.png")])

    def test_a_folder_without_pictures(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="there are no pictures in"):
            find_pictures([str(written(tmp_path, {"a.txt": b""}))])

    def test_nothing_named(self) -> None:
        with pytest.raises(InputError, match="name at least one"):
            find_pictures([])

    def test_standard_input(self) -> None:
        assert find_pictures(["-"], io.BytesIO(b"content")) == [Reference("-", b"content")]
        with pytest.raises(InputError, match="named once"):
            find_pictures(["-", "-"], io.BytesIO(b"content"))

    def test_a_closed_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", None)  # as Python has it then
        with pytest.raises(InputError, match="standard input is closed"):
            find_pictures(["-"])

    def test_a_folder_that_may_not_be_entered(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def closed(_: Path) -> None:
            raise PermissionError(13, "Permission denied")

        (tmp_path / "closed").mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("os.scandir", closed)
        assert find_pictures(["closed"]) == [Reference("closed", b"", "Permission denied")]

    def test_the_processs_own_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"content")))
        assert find_pictures(["-"]) == [Reference("-", b"content")]

    def test_what_lies_in_a_folder_and_cannot_be_used(self, photos: Path, tmp_path: Path) -> None:
        written(tmp_path, {"secret.png": b"x"})
        (photos / "aa.png").symlink_to(tmp_path / "secret.png")
        written(photos, {"z.heic": b"x"})
        refused = {reference.src: reference.refused for reference in find_pictures([str(photos)]) if reference.refused}
        assert refused == {
            str(photos / "aa.png"): "the link leads out of the folder",
            str(photos / "z.heic"): ".heic is not supported; convert it to JPEG or PNG",
        }

    def test_a_path_that_cannot_be_looked_at(self, model: Model) -> None:
        name = "x" * 5000
        (prediction,) = predict_files(model, find_pictures([name]))
        assert prediction == Prediction(name, skipped="file name too long")

    def test_names_that_are_not_text(self, tmp_path: Path) -> None:
        path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
        Path(path).write_bytes(b"x")
        (reference,) = find_pictures([path])
        assert reference.src == f"{tmp_path}/\\xff.png"
        assert reference.content == Path(path)


class TestPredictFiles:
    def test_answers_all_classes_the_likeliest_first(self, model: Model, tmp_path: Path) -> None:
        path = written(tmp_path, {"g.png": picture("green")}) / "g.png"
        (prediction,) = predict_files(model, [Reference("g", path)])
        assert prediction.src == "g"
        assert prediction.skipped == ""
        assert [answer.label for answer in prediction.answers] == ["green", "red", "blue"]
        # Softmax of (0, 2, 0): e^2 / (e^2 + 2) = 0.786986
        assert [answer.probability for answer in prediction.answers] == pytest.approx(
            [0.786986, 0.106507, 0.106507], abs=1e-6
        )
        assert prediction.best == prediction.answers[0]

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
    def test_in_order_and_bad_ones_named(self, model: Model, tmp_path: Path, batch_size: int) -> None:
        written(tmp_path, {"broken.png": b"broken", "empty.jpg": b""})
        references = []
        for number in range(20):
            match number % 5:
                case 3:
                    references.append(Reference(f"{number}", tmp_path / "broken.png"))
                case 4 if number == 4:
                    references.append(Reference(f"{number}", b"", "the link leads out of the folder"))
                case 4:
                    references.append(Reference(f"{number}", tmp_path / "gone.png"))
                case rest:
                    references.append(Reference(f"{number}", picture(CLASSES[rest], (5 + number, 9))))
        told: list[tuple[str, str]] = []
        result = list(
            predict_files(model, references, batch_size=batch_size, on_skip=lambda *words: told.append(words))
        )
        assert [prediction.src for prediction in result] == [str(number) for number in range(20)]
        for number, prediction in enumerate(result):
            if number % 5 < 3:
                assert prediction.best.label == CLASSES[number % 5]
                assert prediction.skipped == ""
            else:
                assert prediction.answers == ()
        assert told == [(prediction.src, prediction.skipped) for prediction in result if prediction.skipped]
        assert result[3].skipped == "it is not a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)"
        assert result[4].skipped == "the link leads out of the folder"
        assert result[9].skipped == "no such file or directory"
        batches = model.network.batches
        assert sum(batches) == 12  # type: ignore[arg-type]  # ours, not any module's
        assert len(batches) == -(-12 // batch_size)  # type: ignore[arg-type]  # ours, not any module's

    def test_the_same_as_one_by_one(self, model: Model) -> None:
        generator = np.random.default_rng(0)
        references = []
        for number in range(5):
            buffer = io.BytesIO()
            values = generator.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(values).save(buffer, "PNG")
            references.append(Reference(str(number), buffer.getvalue()))
        for reference, prediction in zip(references, predict_files(model, references), strict=True):
            alone = model.predict(reference.content)
            assert [answer.label for answer in prediction.answers] == [answer.label for answer in alone]
            probabilities = [answer.probability for answer in alone]
            assert [answer.probability for answer in prediction.answers] == pytest.approx(probabilities, abs=1e-6)

    def test_nothing_readable_or_nothing_at_all(self, model: Model) -> None:
        assert list(predict_files(model, [])) == []
        result = list(predict_files(model, [Reference("a", b""), Reference("b", b"x")]))
        assert [bool(prediction.skipped) for prediction in result] == [True, True]

    def test_comes_as_it_is_ready(self, model: Model) -> None:
        stream = predict_files(model, (Reference(str(n), picture("red")) for n in range(10**9)), batch_size=4)
        assert [next(stream).src for _ in range(6)] == [str(number) for number in range(6)]

    def test_wrong_batch_size(self, model: Model) -> None:
        with pytest.raises(InputError, match="at least one picture, not 0"):
            next(predict_files(model, [], batch_size=0))


class TestReadLabels:
    @pytest.mark.parametrize(
        "text",
        [
            "file,label\na.png,cat\nb/c.png,dog\n",
            "\ufefffile,label\r\na.png,cat\r\nb/c.png,dog\r\n",
            "file;label\na.png;cat\nb/c.png;dog",
            "file\tlabel\na.png\tcat\nb/c.png\tdog",
            "a.png,cat\nb/c.png,dog\n",
            "width,Label,note,FILE\n3,cat,,a.png\n4,dog,x,b/c.png\n",
            "src,correct,model,correct answer,probability\na.png,cat,dog,False,0.5\nb/c.png,dog,dog,True,0.9\n",
            "the photo,what it is\na.png,cat\nb/c.png,dog\n",
            "id,label\na.png,cat\nb/c.png,dog\n",
            "label,where\ncat,a.png\ndog,b/c.png\n",
            "where,image,x\ncat,a.png,1\ndog,b/c.png,2\n",
            '"file","label"\n"a.png","cat"\n"b/c.png", dog \n',
            "\n\nfile,label\n\na.png,cat\na.png,cat\n,\nb/c.png,dog\nd.png,\n,bird\nshort\n",
        ],
    )
    def test_the_same_table_in_many_shapes(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode())
        assert read_labels(path) == {"a.png": "cat", "b/c.png": "dog"}

    def test_quoted_separators_and_line_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.csv"
        path.write_text('file,label\n"a, b.png","maple, red"\n"two\nlines.png",cat\n')
        assert read_labels(path) == {"a, b.png": "maple, red", "two\nlines.png": "cat"}

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "at least two columns"),
            (b"file\na.png\n", "at least two columns"),
            (b"file,label\n", "no rows with a file and a label"),
            (b"file,label\na.png,cat\na.png,dog\n", r"'a\.png' two labels, 'cat' and 'dog'"),
            ("file,label\na.png,кот\n".encode("cp1251"), "save it as CSV"),
            ("file,label\na.png,cat\n".encode("utf-16"), "save it as CSV"),
            (b'file,label\n"a.png,cat\n', "not a table"),
        ],
    )
    def test_what_is_no_table(self, tmp_path: Path, content: bytes, words: str) -> None:
        path = tmp_path / "labels.csv"
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            read_labels(path)
        assert str(path) in str(caught.value)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"cannot read the table .*gone\.csv: No such file"):
            read_labels(tmp_path / "gone.csv")

    def test_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.csv"
        with path.open("wb") as file:
            file.truncate(65 * 1024 * 1024)
        with pytest.raises(InputError, match="too large"):
            read_labels(path)


def refs(*names: str) -> list[Reference]:
    return [Reference(name, b"") for name in names]


class TestMatchLabels:
    @pytest.mark.parametrize(
        ("src", "file"),
        [
            ("photos/a/1.png", "photos/a/1.png"),
            ("photos/a/1.png", "a/1.png"),
            ("photos/a/1.png", "1.png"),
            ("1.png", "photos/a/1.png"),
            ("/home/me/a/1.png", "/a/1.png"),
            ("./a/1.png", "a\\1.png"),
            ("-", "-"),
        ],
    )
    def test_paths_that_are_the_same_picture(self, src: str, file: str) -> None:
        assert match_labels(refs(src), {file: "red"}, CLASSES) == {src: "red"}

    def test_the_nearest_path_wins(self) -> None:
        labels = {"1.png": "red", "a/1.png": "green", "b/1.png": "blue"}
        assert match_labels(refs("x/a/1.png", "x/b/1.png"), labels, CLASSES) == {
            "x/a/1.png": "green",
            "x/b/1.png": "blue",
        }
        assert match_labels(refs("1.png"), {"1.png": "red", "a/1.png": "green"}, CLASSES) == {"1.png": "red"}

    def test_ambiguous_names(self) -> None:
        with pytest.raises(InputError, match=r"1\.png could be 'a/1\.png' or 'b/1\.png'"):
            match_labels(refs("1.png"), {"a/1.png": "red", "b/1.png": "red"}, CLASSES)
        with pytest.raises(InputError, match=r"a/1\.png could be 'x/a/1\.png' or 'y/a/1\.png'"):
            match_labels(refs("a/1.png"), {"x/a/1.png": "red", "y/a/1.png": "red"}, CLASSES)
        with pytest.raises(InputError, match=r"'1\.png' of the table of labels could be a/1\.png or b/1\.png"):
            match_labels(refs("a/1.png", "b/1.png"), {"1.png": "red"}, CLASSES)

    def test_other_folders_have_pictures_of_the_same_name(self) -> None:
        both = refs("p/a/1.png", "p/b/1.png")
        assert match_labels(both, {"a/1.png": "red"}, CLASSES) == {"p/a/1.png": "red"}
        assert match_labels(both, {"p/b/1.png": "red"}, CLASSES) == {"p/b/1.png": "red"}
        with pytest.raises(InputError, match=r"names none of the pictures; it has 'a/1\.png'"):
            match_labels(refs("p/b/1.png"), {"a/1.png": "red"}, CLASSES)

    def test_a_name_is_for_what_no_path_has_named(self) -> None:
        labels = {"1.png": "red", "a/1.png": "green"}
        both = {"p/b/1.png": "red", "p/a/1.png": "green"}
        assert match_labels(refs(*both), labels, CLASSES) == both
        assert match_labels(refs("1.png", "a/1.png"), {"a/1.png": "green"}, CLASSES) == {"a/1.png": "green"}

    def test_a_path_written_in_two_ways_is_one(self) -> None:
        assert match_labels(refs("a/1.png"), {"./a/1.png": "red", "a\\1.png": "red"}, CLASSES) == {"a/1.png": "red"}

    def test_accents_may_be_apart_on_either_side(self) -> None:
        whole, apart = (unicodedata.normalize(form, "Käfer/nº é.jpg") for form in ("NFC", "NFD"))
        assert match_labels(refs(f"p/{apart}"), {whole: "red"}, CLASSES) == {f"p/{apart}": "red"}
        assert match_labels(refs(whole), {f"p/{apart}": "red"}, CLASSES) == {whole: "red"}
        both = {whole: "red", apart: "green"}
        assert match_labels(refs(whole, apart), both, CLASSES) == both, "where both are there each is itself"
        assert match_labels(refs(f"p/{apart}", f"p/{whole}"), {whole: "red"}, CLASSES) == {f"p/{whole}": "red"}

    def test_files_of_a_table_that_no_picture_is(self) -> None:
        labels = {"./1.png": "red", "gone.png": "red", "1.png": "red", "a/2.png": "blue"}
        assert without_picture(refs("p/1.png", "other.png"), labels) == ["gone.png", "a/2.png"]

    def test_pictures_without_a_label_are_left_out(self) -> None:
        labels = {"1.png": "red", "unseen.png": "blue"}
        assert match_labels(refs("1.png", "2.png"), labels, CLASSES) == {"1.png": "red"}

    def test_a_table_of_other_pictures(self) -> None:
        with pytest.raises(InputError, match=r"names none of the pictures; it has 'x\.png'"):
            match_labels(refs("1.png"), {"x.png": "red"}, CLASSES)

    @pytest.mark.parametrize("label", ["red", "RED", "Red", "0"])
    def test_ways_to_write_a_class(self, label: str) -> None:
        assert match_labels(refs("1.png"), {"1.png": label}, CLASSES) == {"1.png": "red"}

    def test_a_name_of_digits_is_a_name_first(self) -> None:
        assert match_labels(refs("1.png"), {"1.png": "1"}, ("2", "1")) == {"1.png": "1"}

    def test_a_name_is_the_same_however_its_accents_are_written(self) -> None:
        kuehe, apart = (unicodedata.normalize(form, "KÜHE") for form in ("NFC", "NFD"))
        assert class_number(apart, ("dog", kuehe)) == class_number(kuehe.lower(), ("dog", apart)) == 1

    @pytest.mark.parametrize("classes", [("1", "2", "3"), ("-1", "+1"), ("one", "7")])
    def test_numbers_do_not_count_where_classes_are_called_so(self, classes: tuple[str, ...]) -> None:
        assert class_number("0", classes) is None
        with pytest.raises(InputError, match=r"the label '0' of x\.png is no class"):
            match_labels(refs("x.png"), {"x.png": "0"}, classes)

    def test_a_label_of_thousands_of_digits_is_no_class(self) -> None:
        """Python refuses to make a number of it."""
        assert class_number("9" * 5000, ("cat", "owl")) is None
        assert class_number("01", ("cat", "owl")) == 1

    @pytest.mark.parametrize(
        ("label", "words"), [("grean", "mean 'green'"), ("3", "known: blue, green, red"), ("rEd", None)]
    )
    def test_labels_that_are_no_class(self, label: str, words: str | None) -> None:
        if words is None:
            # Where case tells two classes apart, a third spelling could be either.
            with pytest.raises(InputError, match="'rEd' of"):
                match_labels(refs("1.png"), {"1.png": label}, ("Red", "red"))
            return
        with pytest.raises(InputError, match=rf"label '{label}' of 1\.png is no class of this model; .*{words}"):
            match_labels(refs("1.png"), {"1.png": label}, CLASSES)


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
    def test_the_columns_of_the_published_work(self, tmp_path: Path) -> None:
        predictions = [
            answered("a.png", "red", 0.987654321),
            answered("b, c.png", "green"),
            Prediction("broken.png", skipped="broken"),
            answered("unlabelled.png", "blue", 1.0),
        ]
        write_table(tmp_path / "out.csv", predictions, {"a.png": "red", "b, c.png": "blue", "broken.png": "red"})
        assert (tmp_path / "out.csv").read_text() == (
            "src,correct,model,correct answer,probability\n"
            "a.png,red,red,True,0.987654\n"
            '"b, c.png",blue,green,False,0.750000\n'
            "unlabelled.png,,blue,,1.000000\n"
        )

    def test_without_labels(self, tmp_path: Path) -> None:
        write_table(tmp_path / "out.csv", [answered("a.png", "red")])
        assert (tmp_path / "out.csv").read_text().splitlines()[1] == "a.png,,red,,0.750000"

    @pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@home.png"])
    def test_names_are_not_formulas(self, tmp_path: Path, name: str) -> None:
        write_table(tmp_path / "out.csv", [answered(name, "=1+1")], {name: "=1+1"})
        with (tmp_path / "out.csv").open(newline="") as file:
            _, row = csv.reader(file)
        assert row == [f"./{name}", "'=1+1", "'=1+1", "True", "0.750000"]

    def test_standard_input_and_signs_stay(self, tmp_path: Path) -> None:
        write_table(tmp_path / "out.csv", [answered("-", "+")])
        assert (tmp_path / "out.csv").read_text().splitlines()[1] == "-,,+,,0.750000"

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
        assert match_labels(refs(*rows), read_labels(path), CLASSES) == rows

    @given(name=st.text(st.sampled_from("'=+-@a1"), min_size=1))
    def test_names_of_classes_come_back_as_they_were(self, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("table") / "out.csv"
        write_table(path, [answered("a.png", name)], {"a.png": name})
        assert match_labels(refs("a.png"), read_labels(path), (name, "other")) == {"a.png": name}

    def test_a_failure_leaves_the_old_table(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        path.write_text("old")
        with pytest.raises(ZeroDivisionError):
            write_table(path, (answered(str(1 // (2 - n)), "red") for n in range(3)))
        assert path.read_text() == "old"
        with pytest.raises(RetinulaError, match="cannot write"):
            write_table(tmp_path / "gone" / "out.csv", [])


def data(name: str) -> Path:
    for place in os.environ.get("RETINULA_DATA", "").split(os.pathsep):
        if place and (Path(place) / name).exists():
            return Path(place) / name
    pytest.skip(f"{name} is not in RETINULA_DATA")


@pytest.mark.data
def test_real_photos_and_their_table(model: Model) -> None:
    folder = data("photos-cifar10-classes")
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    references = find_pictures([str(folder)])
    labels = match_labels(references, read_labels(folder / "labels.csv"), classes)
    assert len(references) == len(labels) == 59
    for src, label in labels.items():
        assert Path(src).name.split("_")[0] == label
    predictions = list(predict_files(model, references))
    assert [prediction.src for prediction in predictions] == [reference.src for reference in references]
    assert not any(prediction.skipped for prediction in predictions)
    for prediction in predictions:
        assert sum(answer.probability for answer in prediction.answers) == pytest.approx(1, abs=1e-5)


def test_several_crops_are_averaged(model: Model, tmp_path: Path) -> None:
    # A wide picture: red on its left half, blue on its right.
    halves = np.zeros((8, 16, 3), dtype=np.uint8)
    halves[:, :8, 0] = halves[:, 8:, 2] = 255
    Image.fromarray(halves).save(tmp_path / "wide.png")
    Image.fromarray(halves[:, 4:12]).save(tmp_path / "square.png")
    network = model.network
    assert isinstance(network, MeanColour)
    references = find_pictures([str(tmp_path / "square.png"), str(tmp_path / "wide.png")])
    plain = list(predict_files(model, references))
    looking = replace(model, preprocess=replace(model.preprocess, views=Views(crops=3)))
    averaged = list(predict_files(looking, references))
    assert network.batches == [2, 2 * 4]
    assert dict(averaged[0].answers) == pytest.approx(dict(plain[0].answers), abs=1e-5)  # a square is all its crops
    one_side = np.exp([2.0, 0, 0]) / np.exp([2.0, 0, 0]).sum()
    both = np.exp([1.0, 0, 1]) / np.exp([1.0, 0, 1]).sum()
    expected = (2 * both + one_side + one_side[::-1]) / 4
    found = dict(averaged[1].answers)
    assert [found[name] for name in CLASSES] == pytest.approx(expected.tolist(), abs=0.02)
    assert dict(looking.predict(tmp_path / "wide.png")) == pytest.approx(found)
    network.batches.clear()
    again = list(predict_files(looking, references, batch_size=4))
    assert [dict(each.answers) for each in again] == [pytest.approx(dict(each.answers)) for each in averaged]
    assert network.batches == [4, 4]


def test_what_is_unfamiliar_is_told(model: Model, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    known = torch.randint(90, 160, (200, 3, 4, 4), generator=generator, dtype=torch.uint8)
    familiarity = fit_familiarity(known[:100], known[100:], model.outputs(known[100:].numpy()))
    aware = replace(model, familiarity=familiarity)
    for name, pixels in (("white.png", np.full((4, 4, 3), 255, np.uint8)), ("known.png", known[0].permute(1, 2, 0))):
        Image.fromarray(np.asarray(pixels)).save(tmp_path / name)
    references = find_pictures([str(tmp_path / "white.png"), str(tmp_path / "known.png")])
    assert [prediction.unfamiliar for prediction in predict_files(aware, references)] == [True, False]
    assert [prediction.unfamiliar for prediction in predict_files(model, references)] == [None, None]
