"""own_table.py and own_images.py: what they make, and what they refuse."""

import io
import os
import re
import runpy
import shlex
import sys
import zlib
from unittest.mock import Mock

import numpy as np
import pytest
import scipy.io
from conftest import ROOT, load_tool, run_script
from PIL import Image

import gan_adam

RECIPES = os.path.join(ROOT, "tests", "recipes")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function that runs a recipe in tmp_path; returns its standard output.

    It must end well; with `words` with `status` and one line that has all of them.
    """
    monkeypatch.chdir(tmp_path)

    def run(name, *flags, words=(), status=2):
        path = os.path.join(RECIPES, f"{name}.py")
        monkeypatch.setattr(sys, "path", sys.path[:])
        monkeypatch.setattr(sys, "argv", [path, *map(str, flags)])
        capsys.readouterr()
        ended = 0
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            ended = end.code
        out, line = capsys.readouterr()
        assert ended == (status if words else 0), line
        assert line.count("\n") == (ended > 0) and all(x in line for x in words), line
        assert line.startswith(f"{name}.py: " if words else ""), line
        return out

    return run


# ------------------------------------------------------------------------- own_table.py


def test_quality_of_rows(run, monkeypatch):
    """Fake rows have the means, deviations and correlations of the real ones."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    shown = []
    monkeypatch.setattr(gan_adam, "show_line", shown.append)
    random = np.random.RandomState(1)
    real = random.uniform(100, 200, (600, 1)) * [1, 3, -0.00004, 0]
    real += random.normal([0, 0, 0.01, -50], [0.1, 20, 0.0004, 4], (600, 4))
    np.savetxt("real.csv", real, "%.6f", ",")
    flags = "real.csv --steps=4000 --rows=1000 --plot=p.png".split()
    assert run("own_table", *flags).endswith("\nverdict: good\n")
    assert shown[0] == "step 100/4000" and len(shown) == 41 and not shown[-1]
    fake = np.loadtxt("fake.csv", delimiter=",")
    apart = np.abs(fake.mean(axis=0) - real.mean(axis=0)) / np.ptp(real, axis=0)
    ratio = fake.std(axis=0) / real.std(axis=0)
    correlations = np.abs(np.corrcoef(fake.T) - np.corrcoef(real.T))
    assert apart.max() < 0.1 and correlations.max() < 0.4
    assert 0.5 < ratio.min() and ratio.max() < 1.5
    with Image.open("p.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(10**6)}
    assert {(0, 0, 0), (255, 0, 0), (255, 255, 255)} <= colours


WIDE = np.random.RandomState(0).uniform(0, 1, (200, 30))
PAIR = WIDE[:, :2] @ [[1, 1], [0, 0.1]]


def changed(column, scale, shift):
    """WIDE, but for one column."""
    rows = WIDE.copy()
    rows[:, column] = scale * rows[:, column] + shift
    return rows


VERDICTS = [  # real rows, fake rows, and what the verdict on them has to say
    (WIDE, WIDE, "good"),
    (WIDE[:, :1], WIDE[::-1, :1], "good"),
    (np.tile(WIDE, 7)[:, :200], np.tile(WIDE, 7)[:, :200], "good"),
    (np.tile(WIDE, 7)[:, :201], np.tile(WIDE, 7)[:, :201], "good"),
    (WIDE, changed(1, 0.2, 0.4), "MODE COLLAPSE.*"),
    (WIDE, 0.4 * WIDE + 0.3, "MODE COLLAPSE.*"),
    (WIDE[:, :3], np.tile(WIDE[:20, :3], (10, 1)), "MODE COLLAPSE.*"),
    (WIDE, changed(4, 0.8, 0.2), r"off: mean \+0\.10 .* column 5"),
    (WIDE, changed(7, 0.5, 0.25), "off: deviation -50%, column 8"),
    (WIDE, changed(7, 1.5, -0.25), r"off: deviation \+50%, column 8"),
    (PAIR, np.stack([PAIR[:, 0], PAIR[::-1, 1]], 1), "off: correlation -.* 1 and 2"),
]


@pytest.mark.parametrize("real, fake, words", VERDICTS)
def test_verdict(real, fake, words, capsys):
    """Each way to be off, or to collapse, is found, and no other.

    Correlations of 20000 columns would fill the memory: there are none above 200.
    """
    columns = np.arange(1, real.shape[1] + 1)
    load_tool("tests/recipes/own_table.py").compare(real, fake, columns)
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert ("correlation" in str(lines)) == (1 < len(columns) <= 200)
    assert re.fullmatch(f"verdict: {words}", verdict) and ";" not in verdict, verdict


def test_adam_and_the_mean_generator(tmp_path, monkeypatch):
    """The mean follows in step k by 1/AVERAGE, at first by 10/(k + 10)."""
    nnff = Mock(wraps=gan_adam.nnff)
    updates = []
    weights = []  # of both networks in turn

    def spy(nn, learning_rate, nnapplygrade=gan_adam.nnapplygrade):
        nn = nnapplygrade(nn, learning_rate)
        forward = [len(call.args[1]) for call in nnff.mock_calls]  # rows each time
        nnff.reset_mock()
        updates.append((nn["architecture"], nn["beta1"], learning_rate, forward))
        weights.append(nn["layers"][2]["w"])
        return nn

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gan_adam, "nnff", nnff)
    monkeypatch.setattr(gan_adam, "nnapplygrade", spy)
    tool = load_tool("tests/recipes/own_table.py")
    monkeypatch.setattr(tool, "AVERAGE", 2)
    opt = tool.options(["real.csv", "--steps=12", "--learning-rate=0.02"])
    found = tool.train(WIDE[:9, :4], opt)["layers"][2]["w"]
    g = [20, 128, 4], 0.5, 0.02, [9, 9]  # both networks of 9 fake rows, then update
    d = [4, 128, 1], 0.5, 0.02, [9, 18]  # anew of 9 fake rows, and real ones
    assert updates == [g, d] * 12
    gan_adam.rng(0)
    mean = gan_adam.nnsetup([20, 128, 4])["layers"][2]["w"]
    for k, w in enumerate(weights[::2], 1):
        mean = mean + max(0.5, 10 / (k + 10)) * (w - mean)
    np.testing.assert_array_equal(found, mean)


def test_every_setting_counts(run, tmp_path):
    """The same flags give the same rows; each setting gives others."""
    np.savetxt("real.csv", WIDE[:100, :3], "%.6f", ",")
    settings = "batch-size=7 noise-size=5 hidden=15 learning-rate=0.01 seed=1 steps=31"
    texts = []
    for i, more in enumerate(f"rows=0 {settings} gradient=matlab steps=30".split()):
        run("own_table", "real.csv", "--steps=30", f"--out={i}", f"--{more}")
        texts.append((tmp_path / str(i)).read_text())
    assert texts[0] == texts[-1] and len(set(texts)) == len(texts) - 1


TABLES = [  # the file, the flags, how many bytes are copied, and a row's pattern
    # a header in quotes, CR LF, an empty line, a constant column
    (b'w,"a; b",c\r\n1,2.50,7.0\r\n3,4.25,7.0\r\n\r\n2,3.00,7.0\r\n', "--skip=1", 12)
    + (rb"[123],[234]\.\d\d,7\.0\r\n",),
    # a BOM, with a header of numbers and alone
    (b"\xef\xbb\xbf20;21\n1.5;10\n 2.5; 20\n", "--skip=1 --delimiter=;", 9)
    + (rb"[12]\.\d;[12]\d\n",),
    (b"\xef\xbb\xbf1\n2\n", "", 3, rb"[12]\n"),
    # a line for Excel, and a header that is no UTF-8
    (b"sep=;\nGr\xf6\xdfe;n\n-1;2\n-2;3\n", "--skip=2 --delimiter=;", 14)
    + (rb"-[12];[23]\n",),
    # of np.savetxt, with comments
    (b"# a b\n 1.5e1  2e-2 \n% \xff\n3.5e1\t4e-2\n", "--delimiter=space", 0)
    + (rb"[123]\d 0\.0[234]\n",),
    # numbers in quotes, or without a digit before the point; no line end
    (b'"1"\t-.5\n"+2"\t-.6', "--delimiter=tab", 0, rb"[12]\t-0\.[56]\n"),
    # one column, its name has a space; CR alone
    (b"Open Price\r12.5\r13.5\r14.25\r", "--skip=1", 11, rb"1[234]\.\d\d\r"),
    # tiny and large numbers; more digits than a double has
    (b"1e-30,1E+20,9007199254740993.00\n3e-30,3E+20,5.5\n", "", 0)
    + (rb"0\.0{29}[123],[123]\d{20},\d{1,16}\n",),
    # no -0 and no -0.00
    (b"".join(b"%d,%.2f\n" % (x, x / 90) for x in range(-3, 4)), "", 0)
    + (rb"(-?[123]|0),(0\.\d\d|-0\.0[1-9]|-0\.[1-9]\d)\n",),
]


@pytest.mark.parametrize("data, flags, copied, row", TABLES)
def test_forms_of_tables(data, flags, copied, row, run, tmp_path):
    """Skipped lines byte by byte; delimiter, line end and digits are the table's."""
    (tmp_path / "real.csv").write_bytes(data)
    run("own_table", "real.csv", "--steps=3", "--rows=50", *flags.split())
    fake = (tmp_path / "fake.csv").read_bytes()
    assert fake[:copied] == data[:copied]
    assert re.fullmatch(b"(%s){50}" % row, fake[copied:]), fake


def test_what_it_says(run, tmp_path):
    """What was read, that it may be a header, what was written, and the verdict."""
    (tmp_path / "real.csv").write_text("0,1,2\n5.1,3.50,1.4\n4.9,3.00,1.4\n")
    said = run("own_table", "real.csv", "--steps=1").splitlines()
    assert "3 rows of 3 numbers, the first 0 1 2" in said[0] and "--skip 1" in said[0]
    flags = "real.csv --steps=1 --skip=1 --out=b.csv --rows=5".split()
    said = run("own_table", *flags).splitlines()
    assert said[0].endswith("2 rows of 3 numbers, the first 5.1 3.50 1.4")
    assert said[1] == "b.csv: 5 fake rows"
    # after one step they are nearly alike; column 3 is constant
    assert "MODE COLLAPSE" in said[-1] and "column 3" not in str(said)
    # all near 0.5, but compared as they were written, 0 and 1
    (tmp_path / "real.csv").write_text("7,0\n7,1\n" * 6)
    said = run("own_table", "real.csv", "--steps=1", "--out=c.csv", "--rows=99")
    for words in "range, column 2", "%, column 2", "100% of the real rows":
        assert words in said


NO_NUMBERS = (
    "1_000 NaN -inf 0x1p3 1j 5% 4#four 1d5 --4 1.2.3 . e5 '' NA 1e \uff11".split()
)
BAD_TABLES = [  # the text, the flags, what the line must have
    ("", "", ["--skip 0"]),
    ("1,2\n", "", ["--skip 0"]),
    ("1,2\n3,4\n", "--skip=9", ["--skip 9"]),
    ("1,2\n1,2\n", "", ["constant"]),
    ("1,2\n3,1e999\n", "", ["too large"]),
    ("1e308,1\n-1e308,2\n", "", ["too large"]),
    ("1\0\n\0", "", ["UTF-16"]),
    ("# c\na,b\n1,2\n", "", ["line 2, column 1", "'a'", "--skip 2"]),
    ("a,2019\n1,5.5\n", "", ["line 1, column 1", "'a'", "--skip 1"]),
    ("a,b\n1,2\n3,\n", "--skip=1", ["line 3, column 2", "''"]),
    ("1\t2\n\t\n", "--delimiter=tab", ["line 2, column 1", "''"]),
    ("1 2\n3 4\n", "", ["'1 2'", '--delimiter "space"']),
    ("1;2\n3;4\n", "", ["'1;2'", '--delimiter ";"']),
    ("sep=;\na;b\n1,5;2\n", "", ["--skip", "--delimiter"]),
    ("1,2\n3\n", "", ["2 to 1", "row 2"]),
    ("1,5;2\n2,5;3\n", "--delimiter=;", ["'1,5'", "decimal"]),
    ("t\tp\n4.8\t1,234\n5\t9\n", "--delimiter=tab --skip=1", ["1,234", "decimal"]),
    ('1,2\n3,"1,234.5"\n', "", ["'1,234.5'", "decimal"]),
    *[
        (f"1,2\n3,{cell}\n", "", ["line 2, column 2"])
        for cell in [*NO_NUMBERS, "4 # four", "1\xa0000", '"1\n2"']
    ],
]


@pytest.mark.parametrize("text, flags, words", BAD_TABLES)
def test_bad_tables(text, flags, words, run, tmp_path):
    """Nothing is guessed, and nothing is trained or written."""
    (tmp_path / "real.csv").write_text(text, encoding="utf-8", newline="")
    assert not run("own_table", "real.csv", *flags.split(), words=["real.csv", *words])
    assert os.listdir() == ["real.csv"]


BAD_FLAGS = (
    "--out=old.csv --out=none/a.csv --out= --plot=old.csv --plot=a.jpg "
    "--plot=none/a.png --steps=0 --rows=-1 --skip=-1 --batch-size=some --noise-size=0 "
    "--hidden=0 --learning-rate=nan --seed=4294967296 --gradient=right --delimiter=."
).split()


def test_bad_flags_of_tables(run, tmp_path, monkeypatch):
    """Refused by name, before the training; no file is replaced."""
    (tmp_path / "real.csv").write_text("1,-2\n3,4\n")
    (tmp_path / "old.csv").write_text("old")
    for bad in BAD_FLAGS:
        assert not run("own_table", "real.csv", bad, words=bad.split("="))
    run("own_table", words=["--help"])
    run("own_table", "none.csv", words=["none.csv"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # is not installed
    run("own_table", "real.csv", "--plot=p.png", words=["p.png", "matplotlib"])
    assert (tmp_path / "old.csv").read_text() == "old"
    assert sorted(os.listdir()) == ["old.csv", "real.csv"]


def test_stopped_or_no_room(run, tmp_path, monkeypatch):
    """A full disk is named by its file, and spoils the picture only; Ctrl-C."""
    figure = pytest.importorskip("matplotlib.figure", reason="it is not installed")
    (tmp_path / "real.csv").write_text("1,-2\n3,4\n")
    flags = ["own_table", "real.csv", "--steps=1"]
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(figure.Figure, "savefig", full)
    assert "verdict" in run(*flags, "--plot=p.png", words=["--plot p.png"])
    assert len((tmp_path / "fake.csv").read_text().splitlines()) == 2
    monkeypatch.setattr(np, "savetxt", full)
    run(*flags, "--out=b", words=["--out b"])
    monkeypatch.setattr(gan_adam, "rng", Mock(side_effect=MemoryError))
    run(*flags, "--out=c", words=["memory"])
    monkeypatch.setattr(gan_adam, "rng", Mock(side_effect=KeyboardInterrupt))
    run(*flags, "--out=c", words=["stopped"], status=130)
    assert not os.path.exists("c")


@pytest.mark.parametrize("name", ["own_table", "own_images"])
def test_pasted_into_a_cell(name):
    """There __file__ is missing."""
    with open(os.path.join(RECIPES, f"{name}.py"), encoding="utf-8") as f:
        code = f.read()
    with pytest.raises(SystemExit) as end:
        exec(code, {"__name__": "__main__"})
    assert name in end.value.code and "%run" in end.value.code


# ------------------------------------------------------------------------ own_images.py

# (28, 28), another one when turned, mirrored or transposed
CORNER_ARRAY = np.zeros((28, 28), np.uint8)
CORNER_ARRAY[:5, :12] = 200
CORNER_ARRAY[5:9, :2] = 90
CORNER = Image.fromarray(CORNER_ARRAY)


@pytest.fixture
def pictures(tmp_path):
    """A folder with 1.png .. 16.png, the least."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for i in range(1, 17):
        picture = CORNER_ARRAY.copy()
        picture[20, 20] = i
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def train_x_of(run, pictures, *flags):
    """The pictures (N, 28, 28) of the file that own_images.py makes of the folder."""
    run("own_images", pictures, "out.mat", *flags)
    train_x = scipy.io.loadmat("out.mat")["train_x"]
    assert train_x.dtype == np.uint8 and train_x.shape[1] == 784
    return train_x.reshape(-1, 28, 28).astype(int)


def test_images_are_upright_and_in_order(pictures, run):
    """2.png before 10.png; and what gan_adam.py reads is what the folder has."""
    expected = np.array([CORNER_ARRAY] * 16)
    expected[:, 20, 20] = range(1, 17)
    assert np.array_equal(train_x_of(run, pictures), expected)
    read = gan_adam.load_train_x("out.mat", 16).reshape(16, 28, 28)
    assert np.array_equal(read.transpose(0, 2, 1), expected)
    names = ["2a9.png", "2a10.png", "10.png", "A.png", "a.png", "b.png"]
    natural = load_tool("tests/recipes/own_images.py").natural
    assert sorted(reversed(names), key=natural) == names


def test_what_is_left_out_and_the_command(pictures, run, tmp_path):
    """Each kind with its count; the last line trains as it stands there."""
    (pictures / "more").mkdir()
    for name in ("._1.png", "notes.txt", "b.TXT", "README"):
        (pictures / name).write_bytes(b"not a picture")
    said = run("own_images", pictures, "my out.mat")
    assert "16 pictures, 1.png .. 16.png" in said
    for words in ("1 subfolder", "1 hidden", "2 .txt", "1 without"):
        assert words in said
    python, script, *flags = shlex.split(said.splitlines()[-1])
    assert (python, script) == ("python", "gan_adam.py")
    end = run_script("gan_adam", *flags, "--epoch", 1, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir("my out_pics") == ["epoch_1_t_1.png"]
    assert os.path.exists("my out_run.mat")


@pytest.mark.parametrize("count, size", [(16, 16), (61, 60), (118, 59), (122, 60)])
def test_batch_size(count, size, capsys):
    """Whole batches of 16 to 60, which leave out the fewest; said if they do."""
    load_tool("tests/recipes/own_images.py").print_command("out.mat", count)
    said = capsys.readouterr().out
    assert f"--images-num {count // size * size} --batch-size {size}\n" in said
    assert (f"the last {count % size}" in said) == (count % size > 0)


SIDEWAYS = Image.Exif()  # of a photo that was taken so
SIDEWAYS[0x112] = 6
FORMS = [  # the file, the mode, how it is saved, and how far its greys may be off
    ("a.jpg", "L", {"quality": 95}, 30),
    ("a.JPEG", "RGB", {"quality": 95, "exif": SIDEWAYS}, 30),
    ("exif.png", "L", {"exif": SIDEWAYS}, 0),
    ("a.BMP", "L", {}, 0),
    *[("a.png", mode, {}, 0) for mode in ("L", "RGB", "P", "LA", "RGBA")],
]


@pytest.mark.parametrize("name, mode, more, limit", FORMS)
def test_forms_of_pictures(name, mode, more, limit, pictures, run):
    """Every kind of file gives the same greys, upright."""
    picture = CORNER.rotate(90) if "exif" in more else CORNER
    picture.convert(mode).save(pictures / name, **more)
    last = train_x_of(run, pictures)[-1]  # letters come after digits
    assert np.abs(last - CORNER_ARRAY).max() <= limit


def save_16_bits(file):
    """A white PNG with 16 bits a colour, which Pillow cannot write: 8 bits, twice."""
    png = io.BytesIO()
    Image.new("RGB", (56, 28), "white").save(png, "PNG")
    png = bytearray(png.getvalue())
    png[19] = 28  # the width
    png[24] = 16
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    file.write_bytes(png)


BAD_PICTURES = {
    "bits16.png": Image.fromarray(CORNER_ARRAY.astype(np.uint16)).save,
    "colours16.png": save_16_bits,
    "a.tif": CORNER.save,
    "a.GIF": CORNER.save,
    "tiff.png": lambda file: CORNER.save(file, format="TIFF"),
    "cmyk.jpg": CORNER.convert("CMYK").save,
    "transparent.png": Image.merge("LA", [CORNER, CORNER]).save,
    "palette.png": lambda file: CORNER.convert("P").save(file, transparency=0),
    "animated.png": lambda file: CORNER.save(
        file, save_all=True, append_images=[CORNER.rotate(90)]
    ),
    "thin.png": CORNER.resize((29, 1)).save,
    "text.png": lambda file: file.write_bytes(b"not a picture"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures(name, pictures, run):
    """No scale is guessed: one line names the file."""
    BAD_PICTURES[name](pictures / name)
    assert not run("own_images", pictures, "out.mat", words=[name])
    assert not os.path.exists("out.mat")


def test_size_and_middle(pictures, run):
    """A large picture keeps its proportions, and --invert makes dark ink white."""
    large = np.full((60, 120), 255, np.uint8)
    large[:30, :60] = 0  # ink in the upper left quarter
    for path in pictures.iterdir():
        Image.fromarray(large).save(path)
    Image.fromarray(large.T).save(pictures / "x_tall.png")
    *_, wide, tall = train_x_of(run, pictures, "--invert")
    expected = np.zeros((28, 28), bool)
    expected[7:14, :14] = True  # 14 rows in the middle, the upper half of their left
    assert np.array_equal(wide > 127, expected)
    assert np.array_equal(tall > 127, expected.T)


@pytest.mark.parametrize(
    "grey, flags, word",
    [(250, "", "--invert"), (5, "--invert", "--invert"), (1, "", "255")],
)
def test_wrong_scale_or_background(grey, flags, word, pictures, run):
    """Before a file is written; all black or 1 is what the scripts refuse."""
    for path in pictures.iterdir():
        Image.new("L", (28, 28), grey).save(path)
    words = [str(pictures), word]
    run("own_images", pictures, "out.mat", *flags.split(), words=words)
    assert not os.path.exists("out.mat")


def test_bad_folders(pictures, run, tmp_path, monkeypatch):
    """The folder or file is named, and no file is replaced."""
    (tmp_path / "old.mat").write_text("old")
    (tmp_path / "few" / "sub").mkdir(parents=True)
    CORNER.save(tmp_path / "few" / "1.png")
    run("own_images", "none", "out.mat", words=["none"])
    words = ["few", "16", "1 ", "1 subfolder"]
    run("own_images", "few", "out.mat", words=words)
    for out in ("old.mat", "out.png", "none/out.mat"):
        run("own_images", "none", out, words=[out])  # before it reads
    run("own_images", pictures, words=["--help"])
    assert (tmp_path / "old.mat").read_text() == "old"
    for path in pictures.iterdir():
        Image.new("L", (28, 28), 2).save(path)  # nearly black, but not refused
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(scipy.io, "savemat", full)
    run("own_images", pictures, "full.mat", words=["full.mat"])
