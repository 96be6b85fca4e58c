import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from retinula.datasets import load, tables
from retinula.datasets.check import check_files
from retinula.datasets.reading import Dataset, lost_classes
from retinula.datasets.rows import label_columns
from retinula.errors import InputError


def pictures(folder: Path, *names: str) -> None:
    """Pictures of 9 x 9 whose grey is the length of their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (len(name),) * 3).save(path)


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def loaded(path: Path) -> Dataset:
    return load.load(path, cache_dir=path.parent / "cache")


def labels(dataset: Dataset) -> dict[str, dict[str, str]]:
    return {
        split: {
            source: found.classes[label]
            for source, label in zip(found.sources or (), found.known_labels().tolist(), strict=True)
        }
        for split, found in dataset.splits.items()
    }


def test_reads_pictures_labels_and_splits(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "deep/er/bb.PNG", "ccc.png", "ünï ©.png", "v.png")
    text = (
        "file,label,split\na.png,cat,train\ndeep/er/bb.PNG,dog,Train\nccc.png,dog,TEST\nünï ©.png,cat,\nv.png,cat,val\n"
    )
    for separator, name in ((",", "a.csv"), (";", "b.csv"), ("\t", "c.tsv"), (" , ", "d.csv")):
        dataset = loaded(write(tmp_path, text.replace(",", separator), name))
        assert labels(dataset) == {
            "train": {"a.png": "cat", "deep/er/bb.PNG": "dog", "ünï ©.png": "cat"},
            "validation": {"v.png": "cat"},
            "test": {"ccc.png": "dog"},
        }
        train = dataset.splits["train"]
        assert train.images[:, 0, 0, 0].tolist() == [len(source) for source in train.sources or ()]
        assert dataset.skipped == ()


def test_columns_by_any_of_their_names_or_place(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png", "d.png")
    rows = [("a.png", "cat"), ("b.png", "cat"), ("c.png", "dog"), ("d.png", "dog")]
    for head, text in (
        ("class,Filename\n", "".join(f"{label},{name}\n" for name, label in rows)),
        ("", "".join(f"{name},{label}\n" for name, label in rows)),
        ("", "".join(f" {name} , {label} \n" for name, label in rows)),
        ("\ufefffile,label,note\n", "".join(f'"{name}",{label},"x, y"\n' for name, label in rows)),
    ):
        dataset = loaded(write(tmp_path, head + text))
        assert {name: label for found in labels(dataset).values() for name, label in found.items()} == dict(rows)
        # Without a split one of two is for testing, and the choice is remembered.
        assert {split: len(found) for split, found in dataset.splits.items()} == {"train": 2, "test": 2}


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("lesion_id,image_id,dx,dx_type,age", "L{n},{n},{label},histo,{n}"),
        ("filename,width,height,category", "{n}.png,40,4{n},{label}"),
        ("image_id,patient,Target", "{n}.png,p{n},{label}"),
        ("weight,breed,photo,id", "{n},{label},?,{n}"),
        ("photo,subset,kind", "{n},train,{label}"),
        ("id,species,SPECIES_CODE", "{n},{label},7"),
    ],
)
def test_the_column_of_classes_is_known_by_its_name(tmp_path: Path, head: str, row: str) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(4)))
    rows = [row.format(n=n, label=("cat", "dog")[n % 2]) for n in range(4)]
    dataset = loaded(write(tmp_path, "\n".join([head, *rows])))
    found = {name: label for part in labels(dataset).values() for name, label in part.items()}
    assert found == {"0.png": "cat", "1.png": "dog", "2.png": "cat", "3.png": "dog"}


@pytest.mark.parametrize(
    ("head", "row", "words"),
    [
        ("file,width,kind", "{n}.png,4,{label}", "has the columns file, width, kind, and none .*; rename the heading"),
        (
            "",
            "{n},{label} {n},7",
            "has the columns 0, cat 0, 7, and none .*; if the first row is no heading, write one: file,",
        ),
        ("photo,", "{n}.png,{n}.5", "column 2 says 30 different things of 30 pictures"),
        ("photo,width,kind", "{n}.png,4,{label}", "has the columns photo, width, kind, and none of them"),
        ("file,square,circle,triangle", "{n}.png,{a}", r"a column for each class \(square, circle, triangle\); write"),
        ("image,a,b,c,split", "{n}.png,{a},train", r"a column for each class \(a, b, c\); .* one column, label"),
        ("file,age", "{n}.png,{n}.5", "age says 30 different things of 30 pictures, and so names no classes"),
        ("", "{n}.png,{n}.5", "column 2 says 30 different things of 30 pictures"),
        ("file,label,is_valid", "{n}.png,{label},maybe", "row 2 has the unknown split 'maybe' in is_valid"),
        ("file,label,split", "{n}.png,{label},{e}", "has both 'eval' and 'test' to test on; call the one to choose by"),
        ("file,label,split", "{n}.png,{label}, {e}", "has both 'eval' and 'test' to test on"),
    ],
)
def test_no_column_is_guessed_to_name_the_classes(tmp_path: Path, head: str, row: str, words: str) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(30)))
    one_hot = ("1,0,0", "0,1.0,0", "0.0,0,1")
    rows = [
        row.format(n=n, label=("cat", "dog")[n % 2], a=one_hot[n % 3], e=("train", "test", "eval")[n % 3])
        for n in range(30)
    ]
    with pytest.raises(InputError, match=words):
        loaded(write(tmp_path, "\n".join(filter(None, [head, *rows]))))


@pytest.mark.parametrize(
    ("heading", "train", "other", "split"),
    [
        ("is_valid", "False", "True", "validation"),
        ("Is_Valid", "", "1.0", "validation"),
        ("partition", "0", "2", "test"),
        ("partition", "0", "1", "validation"),
        ("partition", "train", "test", "test"),
        ("split", "training", "dev", "validation"),
        ("set", "training", "evaluation", "test"),
    ],
)
def test_names_of_splits(tmp_path: Path, heading: str, train: str, other: str, split: str) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(12)))
    rows = [f"{n}.png,{('cat', 'dog')[n % 2]},{train if n < 8 else other}" for n in range(12)]
    found = labels(loaded(write(tmp_path, "\n".join([f"file,label,{heading}", *rows]))))
    assert sorted(found[split]) == ["10.png", "11.png", "8.png", "9.png"]
    assert not found["train"].keys() & found[split].keys()


@pytest.mark.parametrize("heading", ["label", "Class_Name", "species", "breed"])
def test_a_column_that_is_called_one_of_classes_is(tmp_path: Path, heading: str) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(20)))
    rows = [f"{n}.png,person {n % 16}" for n in range(20)]
    with pytest.raises(InputError, match="person says 16 different things of 20 pictures"):
        loaded(write(tmp_path, "\n".join(["file,person", *rows])))
    dataset = loaded(write(tmp_path, "\n".join([f"file,{heading}", *rows])))
    assert len({label for part in labels(dataset).values() for label in part.values()}) == 16


def test_of_few_pictures_each_may_have_a_class_of_its_own(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(4)))
    dataset = loaded(write(tmp_path, "\n".join(["file,person", *(f"{n}.png,person {n}" for n in range(4))])))
    assert dataset.splits["train"].classes == ("person 0", "person 1", "person 2", "person 3")


@pytest.mark.parametrize("head", [",0", ",kind", "Unnamed: 0,kind", "partition,kind", "kind,"])
def test_of_two_columns_the_first_names_the_file(tmp_path: Path, head: str) -> None:
    """Pandas writes a series so, with its index."""
    table = [head.split(","), ["1.jpg", "cat"], ["2.jpg", "dog"]]
    columns = label_columns(table, tmp_path)
    assert (columns.file, columns.label, columns.split) == (0, 1, None)
    file, label = (name or f"column {place}" for place, name in enumerate(table[0], start=1))
    assert columns.described == f"file from {file}, label from {label}"


@pytest.mark.parametrize(
    "table", [[["1.jpg ", "cat"], ["2.jpg", "dog"]], [["1", " cat"], ["2", "cat"]], [["1", "cat"], ["2", " cat"]]]
)
def test_spaces_make_no_heading_of_a_row(tmp_path: Path, table: list[list[str]]) -> None:
    assert label_columns(table, tmp_path) == (0, 1, None, ())


def test_a_check_says_which_columns_were_read(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(4)))
    rows = [f"L{n},{n}.png,{('cat', 'dog')[n % 2]},train,{n}" for n in range(4)]
    report = check_files(write(tmp_path, "\n".join(["lesion_id,image_id,dx,set,age", *rows])))
    said = "file from image_id, label from dx, split from set; not read: lesion_id, age"
    assert report.to_dict()["columns"] == report.lines()[1] == said
    plain = [f"{n}.png,{('cat', 'dog')[n % 2]}" for n in range(4)]
    report = check_files(write(tmp_path, "\n".join(plain)))
    assert report.lines()[1] == "file from column 1, label from column 2, which have no names"


def test_a_table_or_picture_that_changes_is_read_anew(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{number}.png" for number in range(12)))
    rows = [f"{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(12)]
    path = write(tmp_path, "file,label\n" + "\n".join(rows[:10]))
    before = labels(loaded(path))
    write(tmp_path, "file,label\n" + "\n".join(rows))
    after = labels(loaded(path))
    assert before["test"].items() <= after["test"].items()
    assert before["train"].items() <= after["train"].items()
    assert sum(map(len, after.values())) == 12
    Image.new("RGB", (9, 9), "white").save(tmp_path / "3.png")
    changed = loaded(path)
    found = next(found for found in changed.splits.values() if "3.png" in (found.sources or ()))
    assert found.images[list(found.sources or ()).index("3.png")].min() == 255


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    pictures(inside, "a.png", "b.png", "c.png", "d.png")
    pictures(tmp_path, "outside.png")
    (inside / "link.png").symlink_to(tmp_path / "outside.png")
    (inside / "bad.png").write_bytes(b"no picture")
    os.mkfifo(inside / "pipe.png")
    outside = "the path leads out of the table's folder; name the one that all pictures lie in: data.root=FOLDER"
    bad = {
        "none.png": "there is no such file",
        "../outside.png": outside,
        str(tmp_path / "outside.png"): outside,
        "link.png": outside,
        "pipe.png": "there is no such file",
        "x" * 300 + ".png": "there is no such file",
        "bad.png": "it is not a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)",
    }
    rows = ["a.png,cat", "b.png,cat", "c.png,dog", "d.png,dog", "e.png,", *(f"{name},dog" for name in bad)]
    dataset = loaded(write(inside, "file,label\n" + "\n".join(rows)))
    assert sum(map(len, dataset.splits.values())) == 4
    assert {one.source: one.reason for one in dataset.skipped} == {**bad, "e.png": "the table gives it no label"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs at least two columns, file and label"),
        ("file\na.png\n", "needs at least two columns"),
        ("file,label\n", "names no pictures that are there"),
        ("file,label\nnone.png,cat\n", "names no pictures that are there; none.png: there is no such file"),
        ("file,label\na.png,cat\na.png,dog\n", "row 3 names a.png for the second time"),
        ("file,label\na.png,cat\nb.png\n", "row 3 has 1 columns, too few for file and label"),
        ("file,label,split\na.png,cat,tset\n", "row 2 has the unknown split 'tset'.*did you mean 'test'"),
        ("file,label\na.png,cat\nb.png,cat\n", "there is only one class, 'cat'"),
        ('file,label\n"a.png,cat\n', "is not a table of comma-separated values"),
        ("file,label,split\na.png,cat,train\nb.png,dog,test\nc.png,cat,train\n", "only one class"),
    ],
)
def test_tables_that_cannot_be_meant(tmp_path: Path, text: str, words: str) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    with pytest.raises(InputError, match=words):
        loaded(write(tmp_path, text))
    assert not [path for path in (tmp_path / "cache").glob("prepared/*") if path.is_dir()]


@pytest.mark.parametrize("again", ["./cat/0.png", "cat//0.png", "dog/../cat/0.png", "cat\\0.png", "link.png"])
def test_a_picture_is_one_however_its_path_is_written(tmp_path: Path, again: str) -> None:
    pictures(tmp_path, "cat/0.png", "dog/1.png")
    (tmp_path / "link.png").symlink_to("cat/0.png")
    path = write(tmp_path, f"file,label,split\ncat/0.png,cat,train\ndog/1.png,dog,train\n{again},cat,test\n")
    with pytest.raises(InputError, match=r"row 4 names .*0?\.png for the second time, after row 2"):
        loaded(path)


def test_accents_may_be_apart_in_the_table_or_on_the_disk(tmp_path: Path) -> None:
    apart, whole = (unicodedata.normalize(form, "Käfer/é.png") for form in ("NFD", "NFC"))
    mixed = f"{whole[:6]}{apart[-6:]}"
    assert len({apart, whole, mixed}) == 3
    for number, (there, written) in enumerate([(apart, whole), (whole, apart), (mixed, apart)]):
        folder = tmp_path / str(number)
        pictures(folder, there, "b.png")
        dataset = loaded(write(folder, f"file,label,split\n{written},cat,train\nb.png,dog,train\n"))
        assert (len(dataset.splits["train"]), dataset.skipped) == (2, ())
    with pytest.raises(InputError, match="for the second time, after row 2"):
        loaded(write(folder, f"file,label,split\n{whole},cat,train\n{apart},dog,train\n"))


@pytest.mark.parametrize("rows", [("ID,Label", "{},{}"), ("ID,Breed", "{},{}"), ("label,id", "{1},{0}"), ("", "{},{}")])
def test_names_may_lack_their_suffix_and_the_folder_that_all_lie_in(tmp_path: Path, rows: tuple[str, str]) -> None:
    """As tables of competitions are written."""
    pictures(tmp_path, "train/a1.JPG", "train/b2.png", "train/deep/c3.png", "train/d4.PNG", "test/e5.png")
    head, row = rows
    named = [("a1", "cat"), ("B2", "cat"), ("c3.PNG", "dog"), ("train/d4", "dog")]
    lines = [row.format(name, label) for name, label in named]
    dataset = loaded(write(tmp_path, "\n".join(filter(None, [head, *lines]))))
    assert dataset.skipped == ()
    assert {name: label for found in labels(dataset).values() for name, label in found.items()} == {
        "train/a1.JPG": "cat",
        "train/b2.png": "cat",
        "train/deep/c3.png": "dog",
        "train/d4.PNG": "dog",
    }


def test_a_name_that_could_be_several_pictures_is_left_out(tmp_path: Path) -> None:
    pictures(tmp_path, "a/1.png", "b/1.png", "2.png", "2.jpg", "deep/c/3.png", "x.png", "y.png", "z.png")
    rows = ["1,cat", "2,cat", "d/c/3,dog", "x,cat", "y,dog", "b/1,dog"]
    dataset = loaded(write(tmp_path, "file,label\n" + "\n".join(rows)))
    assert {one.source: one.reason for one in dataset.skipped} == {
        "1": "it could be a/1.png or b/1.png; write its whole path",
        "2": "it could be 2.jpg or 2.png; write its whole path",
        "d/c/3": "there is no such file",
    }
    assert sorted(name for found in labels(dataset).values() for name in found) == ["b/1.png", "x.png", "y.png"]
    with pytest.raises(InputError, match=r"row 3 names x\.png for the second time, after row 2"):
        loaded(write(tmp_path, "file,label\nx,cat\nx.png,dog\n"))


@pytest.mark.parametrize("head", [",image_id,label", ",photo,label", ",photo,breed", "Unnamed: 0,label,photo"])
def test_a_column_of_row_numbers_names_no_pictures(tmp_path: Path, head: str) -> None:
    """As pandas writes it; each number is the name of the picture of the row before."""
    pictures(tmp_path, *(f"{number}.png" for number in range(5)))
    swapped = head.endswith("photo")
    rows = [
        ",".join([str(number), *((label, f"{number + 1}") if swapped else (f"{number + 1}", label))])
        for number, label in enumerate(["cat", "dog", "cat", "dog"])
    ]
    dataset = loaded(write(tmp_path, "\n".join([head, *rows])))
    assert dataset.skipped == ()
    assert {name: label for found in labels(dataset).values() for name, label in found.items()} == {
        "1.png": "cat",
        "2.png": "dog",
        "3.png": "cat",
        "4.png": "dog",
    }


def test_of_several_pictures_the_nearest_is_meant(tmp_path: Path) -> None:
    pictures(tmp_path, "x/1.jpg", "x/1.jpg.png", "2.jpg", "old/2.jpg", "x/A.jpg", "x/a.jpg", "train/3.jpg")
    (tmp_path / "latest").symlink_to("train")
    rows = ["1.jpg,cat", "2,dog", "a.jpg,cat", "A.jpg,dog", "3.jpg,cat"]
    dataset = loaded(write(tmp_path, "file,label\n" + "\n".join(rows)))
    assert dataset.skipped == ()
    found = {name: label for part in labels(dataset).values() for name, label in part.items()}
    assert found == {"x/1.jpg": "cat", "2.jpg": "dog", "x/a.jpg": "cat", "x/A.jpg": "dog", "train/3.jpg": "cat"}


def test_what_is_no_file_hides_no_picture(tmp_path: Path) -> None:
    pictures(tmp_path, "x/1.png", "x/y/2.png", "3.png", "4.png")
    os.mkfifo(tmp_path / "1.jpg")
    (tmp_path / "y").mkdir()
    os.mkfifo(tmp_path / "y/2.png")
    os.mkfifo(tmp_path / "5.png")
    dataset = loaded(write(tmp_path, "file,label\n1,cat\ny/2.png,dog\n3.png,cat\n4.png,dog\n5,dog\n"))
    found = {name: label for part in labels(dataset).values() for name, label in part.items()}
    assert found == {"x/1.png": "cat", "x/y/2.png": "dog", "3.png": "cat", "4.png": "dog"}
    assert dataset.skipped == (("5", "there is no such file"),)


def test_names_that_mean_a_picture_differ_however_they_are_written(tmp_path: Path) -> None:
    """Each row by itself: two ways to write one name are the same picture twice, and none of another."""
    pictures(tmp_path, "in/a.png", "in/b.png", "in/c.png")
    rows = "file,label,split\nB,dog,train\nc.PNG,cat,train\n"
    with pytest.raises(InputError, match=r"row 5 names in/a\.png for the second time, after row 4"):
        loaded(write(tmp_path, f"{rows}A,cat,train\nIN\\a.png,cat,train\n"))
    dataset = loaded(write(tmp_path, f"{rows}out/in/a.png,cat,train\n./in/d,dog,train\nIN\\D,dog,train\n"))
    assert labels(dataset) == {"train": {"in/b.png": "dog", "in/c.png": "cat"}}
    assert [one.source for one in dataset.skipped] == ["out/in/a.png", "./in/d", "IN\\D"]


PIXELS = [str(number) for number in range(64)]


@pytest.mark.parametrize(
    "lines",
    [
        [",".join(["1", *PIXELS])] * 3,
        [",".join(["label", *(f"pixel{number}" for number in range(64))]), ",".join(["1", *PIXELS])],
        [",".join([*PIXELS, "cat"])] * 3,
        [",".join(["1", *(f"{number}.5" for number in PIXELS)])] * 3,
        ["emotion,pixels,Usage", f"0,{' '.join(PIXELS)},Training"],
    ],
)
def test_a_table_of_pixels_is_told_what_to_do(tmp_path: Path, lines: list[str]) -> None:
    pictures(tmp_path, "5.png")
    with pytest.raises(InputError, match=r"has the values of pixels, .*: np\.savez_compressed\(\"mine\.npz\", images="):
        loaded(write(tmp_path, "\n".join(lines)))


def test_further_columns_of_numbers_make_no_pixels(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    rows = [",".join([f"{name}.png", label, *PIXELS]) for name, label in (("a", "cat"), ("b", "dog"))]
    assert loaded(write(tmp_path, "\n".join(["file,label," + ",".join(f"f{n}" for n in PIXELS), *rows]))).skipped == ()


def test_labels_are_one_line_each(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    path = write(tmp_path, 'file,label,split\na.png,"do\ng",train\nb.png,\x1b[31mcat,train\n')
    assert set(loaded(path).splits["train"].classes) == {"do\\ng", "\\x1b[31mcat"}


def test_a_table_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("file,label\na.png,Kätzchen\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"labels.csv is not a table in UTF-8; save it as CSV \(UTF-8\)"):
        loaded(tmp_path / "labels.csv")


def test_many_rows_are_read_quickly(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    rows = [f"missing-{number}.png,{number % 7}" for number in range(3000)]
    found = tables.find(write(tmp_path, "file,label\na.png,x\nb.png,y\n" + "\n".join(rows)))
    assert len(found.files.skipped) == 3000 + 7  # the classes of which no picture is left
    assert found.files.names == ["a.png", "b.png"]


@pytest.mark.parametrize("name", ["train.csv", "Train_labels.csv", "labels-training.csv"])
def test_a_table_to_train_on_means_the_pictures_to_train_on(tmp_path: Path, name: str) -> None:
    pictures(tmp_path, *(f"{part}/{n}.png" for part in ("train", "test") for n in range(6)), "test/6.png")
    rows = [f"{n},{('cat', 'dog')[n % 2]}" for n in range(7)]
    dataset = loaded(write(tmp_path, "\n".join(["id,label", *rows]), name))
    found = [source for part in labels(dataset).values() for source in part]
    assert sorted(found) == ["test/6.png", *(f"train/{n}.png" for n in range(6))]


@pytest.mark.parametrize("name", ["labels.csv", "train_test.csv", "retrained.csv"])
def test_of_no_split_nothing_is_preferred(tmp_path: Path, name: str) -> None:
    pictures(tmp_path, *(f"{part}/{n}.png" for part in ("train", "test") for n in range(2)), "a.png", "b.png")
    dataset = loaded(write(tmp_path, "id,label\n0,cat\n1,dog\na,cat\nb,dog\n", name))
    assert [one.source for one in dataset.skipped] == ["0", "1"]


@pytest.mark.parametrize("missing", [2, 3])
def test_a_table_without_a_tenth_of_its_pictures_is_refused(tmp_path: Path, missing: int) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(missing, 20)))
    rows = [f"{n}.png,{'owl' if n < missing else ('cat', 'dog')[n % 2]}" for n in range(20)]
    path = write(tmp_path, "\n".join(["file,label", *rows, "20.png,", "21.png,"]))
    if missing == 2:
        dataset = loaded(path)
        assert ("owl", "no picture of this class is left") in dataset.skipped
        line = "of these classes no picture is left, so that nothing learns them: owl"
        assert lost_classes(dataset.skipped) == [line]
        return
    words = (
        r"labels\.csv: of 20 rows, 3 name no picture that can be used, and no picture is left of owl; the first is "
        r"0\.png: there is no such file; mend the paths, name .* \(data\.root=FOLDER\), or take those rows out"
    )
    with pytest.raises(InputError, match=words):
        loaded(path)
    assert not list((tmp_path / "cache").rglob("splits/*"))
    assert len(check_files(path).rows) == 3 + 2 + 1


def test_pictures_may_lie_below_another_folder(tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "inside", tmp_path / "elsewhere"
    pictures(elsewhere, "a.png", "deep/b.png", "c.png", "d.png")
    inside.mkdir()
    names = ["a.png", "b", str(elsewhere / "c.png"), "d"]
    rows = [f"{name},{('cat', 'dog')[n % 2]},train" for n, name in enumerate(names)]
    path = write(inside, "\n".join(["file,label,split", *rows, f"../{inside.name}/x.png,cat,train"]))
    with pytest.raises(InputError, match=r"no pictures that are there; .*: there is no such file"):
        loaded(path)
    dataset = load.load(path, root=elsewhere, cache_dir=inside / "cache")
    found = {name: label for part in labels(dataset).values() for name, label in part.items()}
    assert found == {"a.png": "cat", "deep/b.png": "dog", "c.png": "cat", "d.png": "dog"}
    assert [one.reason.partition(";")[0] for one in dataset.skipped] == ["the path leads out of the table's folder"]
    pictures(inside, "a.png", "b.png")  # not taken for what was prepared of the other
    assert labels(load.load(path, cache_dir=inside / "cache")) == {"train": {"a.png": "cat", "b.png": "dog"}}
    assert load.split_record(path, root=elsewhere) != load.split_record(path)
    report = check_files(path, root=elsewhere)
    assert (sum(report.num_images.values()), len(report.rows)) == (4, 1)
    with pytest.raises(InputError, match=r"there is no folder .*none; data\.root names"):
        load.load(path, root=tmp_path / "none", cache_dir=inside / "cache")
    for other in ("digits", elsewhere):
        with pytest.raises(InputError, match="is no table, so its pictures lie nowhere else; leave"):
            load.load(other, root=elsewhere, cache_dir=inside / "cache")


@pytest.mark.parametrize(
    ("head", "of", "words"),
    [
        (
            "image_name,tags",
            ("cat dog", "cat", "dog", "owl", "owl dog", "cat owl"),
            r"tags looks like several .*'cat dog'",
        ),
        ("path,age", tuple(str(n) for n in range(20)), "age looks like a quantity, of 20 different values; .* ranges"),
        ("", tuple(f"{n}.5" for n in range(12)), "column 2 looks like a quantity, of 12 different values"),
    ],
)
def test_what_is_no_class_is_told(tmp_path: Path, head: str, of: tuple[str, ...], words: str) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(30)))
    rows = [f"{n}.png,{of[n % len(of)]}" for n in range(30)]
    with pytest.raises(InputError, match=words):
        loaded(write(tmp_path, "\n".join(filter(None, [head, *rows]))))
    assert len(loaded(write(tmp_path, "\n".join(["file,label", *rows]))).splits["train"].classes) == len(of)


def test_absolute_paths_of_a_file_are_names_as_written(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png", "d.png")
    names = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    rows = [f"{name},{('cat', 'dog')[n % 2]}" for n, name in enumerate([*names, "d.png"])]
    found = labels(loaded(write(tmp_path, "\n".join(["file,label", *rows]))))
    assert sorted(name for part in found.values() for name in part) == [*names, "d.png"]


def test_a_run_that_exists_is_told_what_a_new_one_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(40)))
    rows = [f"{n}.png,{n % 20}" for n in range(45)]
    path = write(tmp_path, "\n".join(["path,age,split", *(f"{row},train" for row in rows)]))
    told: list[str] = []
    dataset = load.load(path, cache_dir=tmp_path / "cache", on_doubt=told.append)
    assert sum(map(len, dataset.splits.values())) == 40
    assert [line.split(": ")[1][:16] for line in told] == ["age looks like a", "of 45 rows, 5 na"]
