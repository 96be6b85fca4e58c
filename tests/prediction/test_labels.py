import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from retinula.errors import InputError
from retinula.prediction.labels import match_labels, read_labels
from retinula.prediction.references import Reference
from retinula.text.names import class_number

CLASSES = ("red", "green", "blue")


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
            "file,label,answer,right,probability,unfamiliar,dog,cat\n"
            "a.png,cat,dog,False,0.5,,0.5,0.5\nb/c.png,dog,dog,True,0.9,True,0.9,0.1\n",
            "the photo,what it is\na.png,cat\nb/c.png,dog\n",
            "id,label\na.png,cat\nb/c.png,dog\n",
            "label,where\ncat,a.png\ndog,b/c.png\n",
            "where,image\ncat,a.png\ndog,b/c.png\n",
            "image,patient,Target\na.png,1,cat\nb/c.png,2,dog\n",
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
            (b"where,image,x\ncat,a.png,1\n", "has the columns where, image, x, and none of them is known to hold"),
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
        with pytest.raises(InputError, match=r"gone\.csv: no such file"):
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
        assert match_labels(refs(src), {file: "red"}, CLASSES).labels == {src: "red"}

    def test_the_nearest_path_wins(self) -> None:
        labels = {"1.png": "red", "a/1.png": "green", "b/1.png": "blue"}
        assert match_labels(refs("x/a/1.png", "x/b/1.png"), labels, CLASSES).labels == {
            "x/a/1.png": "green",
            "x/b/1.png": "blue",
        }
        assert match_labels(refs("1.png"), {"1.png": "red", "a/1.png": "green"}, CLASSES).labels == {"1.png": "red"}

    def test_ambiguous_names(self) -> None:
        with pytest.raises(InputError, match=r"1\.png could be 'a/1\.png' or 'b/1\.png'"):
            match_labels(refs("1.png"), {"a/1.png": "red", "b/1.png": "red"}, CLASSES)
        with pytest.raises(InputError, match=r"a/1\.png could be 'x/a/1\.png' or 'y/a/1\.png'"):
            match_labels(refs("a/1.png"), {"x/a/1.png": "red", "y/a/1.png": "red"}, CLASSES)
        with pytest.raises(InputError, match=r"'1\.png' of the table of labels could be a/1\.png or b/1\.png"):
            match_labels(refs("a/1.png", "b/1.png"), {"1.png": "red"}, CLASSES)

    def test_other_folders_have_pictures_of_the_same_name(self) -> None:
        both = refs("p/a/1.png", "p/b/1.png")
        assert match_labels(both, {"a/1.png": "red"}, CLASSES).labels == {"p/a/1.png": "red"}
        assert match_labels(both, {"p/b/1.png": "red"}, CLASSES).labels == {"p/b/1.png": "red"}
        with pytest.raises(InputError, match=r"names none of the pictures; it has 'a/1\.png'"):
            match_labels(refs("p/b/1.png"), {"a/1.png": "red"}, CLASSES)

    def test_a_name_is_for_what_no_path_has_named(self) -> None:
        labels = {"1.png": "red", "a/1.png": "green"}
        both = {"p/b/1.png": "red", "p/a/1.png": "green"}
        assert match_labels(refs(*both), labels, CLASSES).labels == both
        assert match_labels(refs("1.png", "a/1.png"), {"a/1.png": "green"}, CLASSES).labels == {"a/1.png": "green"}

    def test_a_path_written_in_two_ways_is_one(self) -> None:
        assert match_labels(refs("a/1.png"), {"./a/1.png": "red", "a\\1.png": "red"}, CLASSES).labels == {
            "a/1.png": "red"
        }

    def test_accents_may_be_apart_on_either_side(self) -> None:
        whole, apart = (unicodedata.normalize(form, "Käfer/nº é.jpg") for form in ("NFC", "NFD"))
        assert match_labels(refs(f"p/{apart}"), {whole: "red"}, CLASSES).labels == {f"p/{apart}": "red"}
        assert match_labels(refs(whole), {f"p/{apart}": "red"}, CLASSES).labels == {whole: "red"}
        both = {whole: "red", apart: "green"}
        assert match_labels(refs(whole, apart), both, CLASSES).labels == both, "where both are there each is itself"
        assert match_labels(refs(f"p/{apart}", f"p/{whole}"), {whole: "red"}, CLASSES).labels == {f"p/{whole}": "red"}

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_case_counts_where_folders_differ_by_it_alone(self, form: Literal["NFC", "NFD"]) -> None:
        labels = {"Ä/x.png": "red", "ä/x.png": "green"}
        wanted = {unicodedata.normalize(form, f"p/{file}"): label for file, label in labels.items()}
        assert match_labels(refs(*wanted), labels, CLASSES).labels == wanted

    def test_the_suffix_of_a_picture_may_be_left_out(self) -> None:
        """As tables of competitions do, which training reads as well."""
        labels = {"0001": "red", "train/0002": "green", "c.d": "blue", "e.png": "red", "e": "green"}
        pictures = refs("train/0001.jpg", "0002.JPG", "c.d.webp", "e.png", "x/e.jpg")
        assert match_labels(pictures, labels, CLASSES).labels == {
            "train/0001.jpg": "red",
            "0002.JPG": "green",
            "c.d.webp": "blue",
            "e.png": "red",
            "x/e.jpg": "green",
        }
        with pytest.raises(InputError, match=r"'1' of the table of labels could be 1\.(jpg|png) or 1\.(jpg|png)"):
            match_labels(refs("1.jpg", "1.png"), {"1": "red"}, CLASSES)

    def test_case_says_nothing_where_there_is_no_other(self) -> None:
        """As on Windows, and in tables that training reads."""
        labels = {"IMG_1.jpg": "red", "A/2.PNG": "green", "img_3": "blue", "K\u00c4FER": "red"}
        pictures = refs("p/img_1.JPG", "p/a/2.png", "IMG_3.Jpeg", "p/ka\u0308fer.png")
        assert match_labels(pictures, labels, CLASSES).labels == {
            "p/img_1.JPG": "red",
            "p/a/2.png": "green",
            "IMG_3.Jpeg": "blue",
            "p/ka\u0308fer.png": "red",
        }
        both = {"a.png": "red", "A.png": "green"}
        assert match_labels(refs("x/A.png", "x/a.png"), both, CLASSES).labels == {"x/a.png": "red", "x/A.png": "green"}
        assert match_labels(refs("x/a.png"), {"A.png": "red", "x/A.PNG": "blue"}, CLASSES).labels == {"x/a.png": "blue"}
        with pytest.raises(InputError, match=r"A\.PNG could be '[aA]\.png' or '[aA]\.png' of the table"):
            match_labels(refs("A.PNG"), both, CLASSES)

    def test_files_of_a_table_that_no_picture_is(self) -> None:
        labels = {"./1.png": "red", "gone.png": "red", "1.png": "red", "a/2.png": "blue"}
        matched = match_labels(refs("p/1.png", "other.png"), labels, CLASSES)
        assert matched.labels == {"p/1.png": "red"}
        assert matched.without_picture == ("gone.png", "a/2.png")
        assert matched.left_over(Path("t.csv")) == (
            "2 of 4 files of t.csv name no picture that was given: gone.png, a/2.png"
        )

    @pytest.mark.parametrize(
        ("gone", "words"),
        [
            ([], ""),
            (["x\ny.png"], "1 of 2 files of t.csv names no picture that was given: x\\ny.png"),
            (list("abcde"), "5 of 6 files of t.csv name no picture that was given: a, b, c and 2 more"),
        ],
    )
    def test_what_is_left_over_is_told_in_a_line(self, gone: list[str], words: str) -> None:
        matched = match_labels(refs("1.png"), dict.fromkeys(["1.png", *gone], "red"), CLASSES)
        assert matched.left_over(Path("t.csv")) == words

    def test_pictures_of_no_class_are_kept_apart(self) -> None:
        labels = {"1.png": "Red", "2.png": "hexagon", "3.png": "cube", "4.png": "hexagon", "gone.png": "ball"}
        matched = match_labels(refs("p/1.png", "p/2.png", "p/3.png", "p/4.png", "p/5.png"), labels, CLASSES)
        assert matched.labels == {"p/1.png": "red"}
        assert matched.outside == {"p/2.png": "hexagon", "p/3.png": "cube", "p/4.png": "hexagon"}
        assert matched.without_picture == ("gone.png",)
        assert matched.left_outside() == (
            "3 of 4 labelled pictures are outside the classes of this model, and in no score: hexagon (2), cube (1)"
        )
        one = match_labels(refs("1.png", "3.png"), labels, CLASSES)
        assert one.left_outside().startswith("1 of 2 labelled pictures is outside the classes")
        assert match_labels(refs("1.png"), labels, CLASSES).left_outside() == ""

    def test_where_no_picture_is_of_a_class_it_is_refused(self) -> None:
        labels = {"1.png": "red", "2.png": "hexagon", "3.png": "cube"}
        with pytest.raises(InputError, match=r"label 'cube' of 3\.png is no class"):
            match_labels(refs("p/3.png"), labels, CLASSES)
        with pytest.raises(InputError, match=r"label 'ball' of x\.png is no class"):
            match_labels(refs("p/3.png"), {"x.png": "ball"}, CLASSES)

    def test_pictures_without_a_label_are_left_out(self) -> None:
        labels = {"1.png": "red", "unseen.png": "blue"}
        assert match_labels(refs("1.png", "2.png"), labels, CLASSES).labels == {"1.png": "red"}

    def test_a_table_of_other_pictures(self) -> None:
        with pytest.raises(InputError, match=r"names none of the pictures; it has 'x\.png'"):
            match_labels(refs("1.png"), {"x.png": "red"}, CLASSES)
        with pytest.raises(InputError, match="table of labels is empty"):
            match_labels([], {}, CLASSES)

    @pytest.mark.parametrize("label", ["red", "RED", "Red", "0"])
    def test_ways_to_write_a_class(self, label: str) -> None:
        assert match_labels(refs("1.png"), {"1.png": label}, CLASSES).labels == {"1.png": "red"}

    def test_a_name_of_digits_is_a_name_first(self) -> None:
        assert match_labels(refs("1.png"), {"1.png": "1"}, ("2", "1")).labels == {"1.png": "1"}

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
