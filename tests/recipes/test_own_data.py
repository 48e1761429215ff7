"""own_table.py and own_images.py: what they make, and what they refuse."""

import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from conftest import POSIX, ROOT, load_tool, run_script
from PIL import Image
from scipy.io import loadmat

import gan_adam

RECIPES = os.path.join(ROOT, "tests", "recipes")
OWN_TABLE = os.path.join(RECIPES, "own_table.py")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function that runs a recipe in tmp_path: its status, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(name, *flags, tool=None):
        tool = tool or load_tool(f"tests/recipes/{name}.py")
        capsys.readouterr()
        try:
            tool.main(tool.options([str(x) for x in flags]))
            status = 0
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr()

    return run


@pytest.fixture
def refused(run, tmp_path):
    """A function: status 2, one line with all `words`, nothing printed or written."""

    def refused(name, flags, words):
        before = sorted(os.listdir(tmp_path))
        status, said = run(name, *flags)
        assert (status, said.out) == (2, ""), said
        assert said.err.startswith(f"{name}.py: ") and said.err.count("\n") == 1
        assert all(word in said.err for word in words), said.err
        assert sorted(os.listdir(tmp_path)) == before

    return refused


# ------------------------------------------------------------------------- own_table.py


def made_up_table():
    """600 rows: the second column rises with the first, the third falls, far apart."""
    random = np.random.RandomState(1)
    first = random.uniform(100, 200, 600)
    second = 3 * first + random.normal(0, 20, 600)
    third = 0.01 - 0.00004 * first + random.normal(0, 0.0004, 600)
    fourth = random.normal(-50, 4, 600)
    return np.stack([first, second, third, fourth], axis=1)


def test_quality_of_rows(run, tmp_path):
    """Fake rows have the means, deviations and correlations of the real ones."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    real = made_up_table()
    np.savetxt("real.csv", real, "%.6f", ",", header="a,b,c,d", comments="")
    flags = ["--skip", 1, "--steps", 6000, "--rows", 1000, "--plot", "p.png"]
    status, said = run("own_table", "real.csv", *flags)
    assert (status, said.err) == (0, "")
    assert said.out.splitlines()[-1] == "verdict: good"
    assert "600 rows of 4 numbers" in said.out
    lines = (tmp_path / "fake.csv").read_text().splitlines()
    assert lines[0] == "a,b,c,d" and len(lines) == 1001
    fake = np.loadtxt(tmp_path / "fake.csv", delimiter=",", skiprows=1)
    span = np.ptp(real, axis=0)
    assert (np.abs(fake.mean(axis=0) - real.mean(axis=0)) < 0.1 * span).all()
    ratio = fake.std(axis=0) / real.std(axis=0)
    assert (ratio > 0.5).all() and (ratio < 1.5).all(), ratio
    apart = np.abs(np.corrcoef(fake.T) - np.corrcoef(real.T))
    assert apart.max() < 0.4, apart
    with Image.open("p.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(10**6)}
    assert {(0, 0, 0), (255, 0, 0), (255, 255, 255)} <= colours


def verdicts():
    """Real rows, fake rows, and what the verdict on them has to say."""
    random = np.random.RandomState(0)
    wide = random.uniform(0, 1, (200, 30))
    flat = wide.copy()
    flat[:, 1] = np.linspace(0.4, 0.6, 200)
    moved = wide.copy()
    moved[:, 4] = 0.8 * wide[:, 4] + 0.2
    narrow = wide.copy()
    narrow[:, 7] = 0.5 + 0.5 * (wide[:, 7] - 0.5)
    broad = wide.copy()
    broad[:, 7] = 0.5 + 1.5 * (wide[:, 7] - 0.5)
    pair = wide[:, :3].copy()
    pair[:, 2] = wide[:, 1] + 0.1 * wide[:, 2]
    loose = pair.copy()
    loose[:, 2] = random.permutation(pair[:, 2])
    few = wide[:, :3]
    return {
        "the same rows": (wide, wide, "good"),
        "one column": (few[:, :1], few[::-1, :1], "good"),
        "a flat column": (wide, flat, "MODE COLLAPSE.*"),
        "all columns narrow": (wide, 0.5 + 0.4 * (wide - 0.5), "MODE COLLAPSE.*"),
        "20 rows again and again": (few, np.tile(few[:20], (10, 1)), "MODE COLLAPSE.*"),
        "a mean": (wide, moved, r"off: mean \+0\.10 .* column 5"),
        "a smaller deviation": (wide, narrow, "off: deviation -50%, column 8"),
        "a larger one": (wide, broad, r"off: deviation \+50%, column 8"),
        "a correlation": (pair, loose, r"off: correlation -\d.* columns 2 and 3"),
    }


@pytest.mark.parametrize("name", verdicts())
def test_verdict(name, capsys):
    """Each way to be off, or to collapse, is found, and no other."""
    real, fake, words = verdicts()[name]
    columns = np.arange(1, real.shape[1] + 1)
    load_tool("tests/recipes/own_table.py").compare(real, fake, columns)
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(f"verdict: {words}", verdict) and ";" not in verdict, verdict


def test_adam_and_the_mean_generator(monkeypatch, run):
    """The mean follows in step k by 1/AVERAGE, at first by 10/(k + 10)."""
    tool = load_tool("tests/recipes/own_table.py")
    seen = []
    weights = []  # of the generator, and the mean
    nnapplygrade = gan_adam.nnapplygrade

    def spy(nn, learning_rate):
        nn = nnapplygrade(nn, learning_rate)
        seen.append((nn["architecture"], nn["beta1"], learning_rate))
        weights.append(nn["layers"][2]["w"])
        return nn

    monkeypatch.setattr(gan_adam, "nnapplygrade", spy)
    monkeypatch.setattr(tool, "AVERAGE", 2)
    real = np.random.RandomState(0).uniform(0, 1, (9, 4))
    np.savetxt("real.csv", real, delimiter=",")
    opt = tool.options(["real.csv", "--steps=12", "--learning-rate=0.02"])
    found = tool.train(real, opt)["layers"][2]["w"]
    assert seen == [([20, 128, 4], 0.5, 0.02), ([4, 128, 1], 0.5, 0.02)] * 12
    mean = np.zeros_like(found)
    rest = 1.0  # the share of the first weights, which are not known here
    for k, w in enumerate(weights[::2], 1):
        share = max(0.5, 10 / (k + 10))
        mean += share * (w - mean)
        rest *= 1 - share
    # the first weights are below 0.1
    np.testing.assert_allclose(found, mean, rtol=0, atol=0.1 * rest + 1e-15)
    assert rest < 1e-3 and np.abs(found - weights[-2]).max() > 1e-3


SETTINGS = (
    "--batch-size=7 --noise-size=5 --hidden=15 --learning-rate=0.01 --seed=1 "
    "--gradient=matlab --steps=31"
).split()


def test_every_setting_counts(run, tmp_path):
    """The same flags give the same rows; each setting gives others."""
    np.savetxt(
        "real.csv", np.random.RandomState(0).uniform(1, 9, (100, 3)), "%.6f", ","
    )
    texts = []
    for i, more in enumerate(["--steps=30", "--steps=30", *SETTINGS]):
        assert run("own_table", "real.csv", "--steps=30", "--out", i, more)[0] == 0
        texts.append((tmp_path / str(i)).read_text())
    assert texts[0] == texts[1]
    assert len(set(texts)) == 1 + len(SETTINGS)


TABLES = [  # the file, the flags, how many bytes are copied, and a row's pattern
    # a header in quotes, CR LF, an empty line, a constant column
    (b'w,"a; b",c\r\n1,2.50,7.0\r\n3,4.25,7.0\r\n\r\n2,3.00,7.0\r\n', "--skip=1", 12)
    + (rb"[123],[234]\.\d\d,7\.0\r\n",),
    # a BOM, with a header of numbers and alone
    (b"\xef\xbb\xbf20;21\n1.5;10\n2.5;20\n", "--skip=1 --delimiter=;", 9)
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
    flags = ["--steps=3", "--rows=50", *flags.split()]
    assert run("own_table", "real.csv", *flags)[0] == 0
    fake = (tmp_path / "fake.csv").read_bytes()
    assert fake[:copied] == data[:copied]
    assert re.fullmatch(b"(%s){50}" % row, fake[copied:]), fake


def test_what_it_says(run, tmp_path):
    """What was read, that it may be a header, what was written, and the verdict."""
    (tmp_path / "real.csv").write_text("0,1,2\n5.1,3.50,1.4\n4.9,3.00,1.4\n")
    said = run("own_table", "real.csv", "--steps=1")[1].out.splitlines()
    assert "3 rows of 3 numbers, the first 0 1 2" in said[0] and "--skip 1" in said[0]
    flags = ["--steps=1", "--skip=1", "--out=b.csv", "--rows=5"]
    said = run("own_table", "real.csv", *flags)[1].out.splitlines()
    assert said[0].endswith("2 rows of 3 numbers, the first 5.1 3.50 1.4")
    assert said[1] == "b.csv: 5 fake rows"
    # after one step they are nearly alike; column 3 is constant
    assert "MODE COLLAPSE" in said[-1] and "column 3" not in str(said)


NO_NUMBERS = (
    "1_000 NaN -inf 1e999 0x1p3 1j 5% 4#four 1d5 --4 1.2.3 . e5 '' NA 1e \uff11"
).split() + ["4 # four", "1\xa0000", '"1\n2"']
BAD_TABLES = [  # the text, the flags, what the line must have
    ("", "", ["--skip 0"]),
    ("a,b\n", "--skip=1", ["--skip 1"]),
    ("1,2\n", "", ["--skip 0"]),
    ("1,2\n3,4\n", "--skip=9", ["--skip 9"]),
    ("1,2\n1,2\n", "", ["constant"]),
    ("1e308,1\n-1e308,2\n", "", ["too large"]),
    ("1\0\n\0", "", ["UTF-16"]),
    ("a,b\n1,2\n3,4\n", "", ["line 1, column 1", "'a'", "--skip 1"]),
    ("# c\na,b\n1,2\n", "", ["line 2, column 1", "'a'", "--skip 2"]),
    ("a,2019\n1,5.5\n", "", ["'a'", "--skip 1"]),
    ("a,b\n1,2\n3,\n", "--skip=1", ["line 3, column 2", "''"]),
    ("1,2,\n3,4,\n", "", ["line 1, column 3", "''"]),
    ("1\t2\n\t\n", "--delimiter=tab", ["line 2, column 1", "''"]),
    ("1 2\n3 4\n", "", ["'1 2'", '--delimiter "space"']),
    ("1;2\n3;4\n", "", ["'1;2'", '--delimiter ";"']),
    ("sep=;\na;b\n1,5;2\n", "", ["--skip", "--delimiter"]),
    ("1,2\n3\n", "", ["2 to 1", "row 2"]),
    ("1,5;2\n2,5;3\n", "--delimiter=;", ["'1,5'", "decimal"]),
    ("t\tp\n4.8\t1,234\n5\t9\n", "--delimiter=tab --skip=1", ["1,234", "decimal"]),
    ('1,2\n3,"1,234.5"\n', "", ["'1,234.5'", "decimal"]),
    *[(f"1,2\n3,{x}\n", "", ["line 2, column 2"]) for x in NO_NUMBERS],
]


@pytest.mark.parametrize("text, flags, words", BAD_TABLES)
def test_bad_tables(text, flags, words, refused, tmp_path):
    (tmp_path / "real.csv").write_text(text, encoding="utf-8", newline="")
    refused("own_table", ["real.csv", *flags.split()], ["real.csv", *words])


BAD_FLAGS = (
    "--out=old.csv --out=none/a.csv --out= --plot=old.csv --plot=a.jpg "
    "--plot=none/a.png --steps=0 --rows=0 --skip=-1 --batch-size=some --noise-size=0 "
    "--hidden=0 --learning-rate=nan --seed=4294967296 --gradient=right --delimiter=."
).split()


def test_bad_flags_of_tables(refused, tmp_path, monkeypatch):
    (tmp_path / "real.csv").write_text("1,-2\n3,4\n")
    (tmp_path / "old.csv").write_text("old")
    for bad in BAD_FLAGS:
        refused("own_table", ["real.csv", bad], bad.split("="))
    refused("own_table", [], ["--help"])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # is not installed
    refused("own_table", ["real.csv", "--plot=p.png"], ["p.png", "matplotlib"])
    assert (tmp_path / "old.csv").read_text() == "old"


def no_space(*_, **__):
    raise OSError(28, "No space left on device")


def test_rows_are_written_first(run, tmp_path, monkeypatch):
    """A full disk is named by its file, and spoils the picture only."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    tool = load_tool("tests/recipes/own_table.py")
    (tmp_path / "real.csv").write_text("1,-2\n3,4\n")
    flags = ["--steps", 1, "--plot", "p.png"]
    monkeypatch.setattr(tool, "draw", no_space)
    status, said = run("own_table", "real.csv", *flags, tool=tool)
    assert status == 2 and said.err.count("\n") == 1 and "--plot p.png" in said.err
    assert "verdict" in said.out
    assert len((tmp_path / "fake.csv").read_text().splitlines()) == 2
    monkeypatch.setattr(tool, "write_rows", no_space)
    status, said = run("own_table", "real.csv", *flags[:2], "--out", "b", tool=tool)
    assert status == 2 and said.err.count("\n") == 1 and "--out b" in said.err


def test_wide_tables_have_no_correlations(run, monkeypatch):
    """Of 20000 columns they would fill the memory."""
    sizes = []
    corrcoef = np.corrcoef
    monkeypatch.setattr(np, "corrcoef", lambda x: sizes.append(len(x)) or corrcoef(x))
    for columns in (200, 201):
        real = np.random.RandomState(0).uniform(0, 1, (20, columns))
        np.savetxt("real.csv", real, delimiter=",")
        flags = ["--steps", 1, "--out", columns]
        assert run("own_table", "real.csv", *flags)[0] == 0
    assert sizes == [200, 200]


@pytest.mark.parametrize("name", ["own_table", "own_images"])
def test_pasted_into_a_cell(name):
    """There __file__ is missing."""
    with open(os.path.join(RECIPES, f"{name}.py"), encoding="utf-8") as f:
        code = f.read()
    with pytest.raises(SystemExit) as end:
        exec(code, {"__name__": "__main__"})
    assert name in end.value.code and "%run" in end.value.code


@POSIX
def test_as_a_program(tmp_path):
    """By a symbolic link, as python -OO, with a table or none, and as with | head."""
    (tmp_path / "link.py").symlink_to(OWN_TABLE)
    (tmp_path / "real.csv").write_text("1,-2\n3,4\n")
    command = [sys.executable, "-OO", "link.py", "--steps", "1"]
    about = {"cwd": tmp_path, "stderr": subprocess.PIPE, "text": True}
    end = subprocess.run([*command, "real.csv"], **about)
    assert (end.returncode, end.stderr) == (0, "")
    end = subprocess.run([*command, "none.csv", "--out", "b"], **about)
    assert end.returncode == 2 and end.stderr.count("\n") == 1
    assert end.stderr.startswith("own_table.py: none.csv: ")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nowhere:
        end = subprocess.run(
            [*command, "real.csv", "--out", "b"], stdout=nowhere, **about
        )
    assert (end.returncode, end.stderr) == (1, "")


@POSIX
def test_progress_and_ctrl_c(tmp_path):
    """A terminal shows the step; Ctrl-C ends in one line, and nothing is written."""
    pty = pytest.importorskip("pty")
    np.savetxt(tmp_path / "real.csv", made_up_table(), delimiter=",")
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, OWN_TABLE, "real.csv", "--steps", "100000000"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=its_end,
        # a shell's background jobs ignore SIGINT, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        os.close(its_end)
        said = b""
        while b"s left" not in said:
            said += os.read(terminal, 1000)
        program.send_signal(signal.SIGINT)
        while b"\n" not in said:
            said += os.read(terminal, 1000)
        assert program.wait(timeout=60) == 130
    os.close(terminal)
    assert b"step 100/" in said and b"Traceback" not in said and said.count(b"\n") == 1
    assert b"own_table.py: stopped" in said
    assert os.listdir(tmp_path) == ["real.csv"]


# ------------------------------------------------------------------------ own_images.py


def corner_picture():
    """A picture (28, 28) that is another one when turned, mirrored or transposed."""
    picture = np.zeros((28, 28), np.uint8)
    picture[:5, :12] = 200
    picture[5:9, :2] = 90
    return picture


CORNER = Image.fromarray(corner_picture())


@pytest.fixture
def pictures(tmp_path):
    """A folder with 1.png .. 17.png."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for i in range(1, 18):
        picture = corner_picture()
        picture[20, 20] = i
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def train_x_of(run, pictures, *flags):
    """The pictures (N, 28, 28) of the file that own_images.py makes of the folder."""
    status, said = run("own_images", pictures, "out.mat", *flags)
    assert (status, said.err) == (0, "")
    train_x = loadmat("out.mat")["train_x"]
    assert train_x.dtype == np.uint8 and train_x.shape[1] == 784
    return train_x.reshape(-1, 28, 28).astype(int)


def test_images_are_upright_and_in_order(pictures, run):
    """2.png before 10.png; and what gan_adam.py reads is what the folder has."""
    expected = np.array([corner_picture()] * 17)
    expected[:, 20, 20] = range(1, 18)
    assert np.array_equal(train_x_of(run, pictures), expected)
    read = gan_adam.load_train_x("out.mat", 17).reshape(17, 28, 28)
    assert np.array_equal(read.transpose(0, 2, 1), expected)


def test_what_is_left_out(pictures, run):
    """Subfolders, hidden files and other endings, each with its count."""
    (pictures / "more").mkdir()
    for name in ("._1.png", "notes.txt", "b.TXT", "README"):
        (pictures / name).write_bytes(b"not a picture")
    said = run("own_images", pictures, "out.mat")[1].out
    assert "17 pictures, 1.png .. 17.png" in said
    for words in ("1 subfolder", "1 hidden", "2 .txt", "1 without"):
        assert words in said


def test_printed_command_trains(pictures, run, tmp_path):
    """The last line runs as it stands there, wherever its files are."""
    said = run("own_images", pictures, "my out.mat")[1].out
    python, script, *flags = shlex.split(said.splitlines()[-1])
    assert (python, script) == ("python", "gan_adam.py")
    end = run_script("gan_adam", *flags, "--epoch", 1, cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    assert os.listdir("my out_pics") == ["epoch_1_t_1.png"]
    assert os.path.exists("my out_run.mat")


@pytest.mark.parametrize("count, size", [(16, 16), (17, 17), (61, 60), (122, 60)])
def test_batch_size(count, size, capsys):
    """Whole batches of 16 to 60, which leave out the fewest; said if they do."""
    load_tool("tests/recipes/own_images.py").print_command("out.mat", count)
    said = capsys.readouterr().out
    assert f"--images-num {count // size * size} --batch-size {size} " in said
    assert (f"the last {count % size}" in said) == (count % size > 0)


def test_order_of_names():
    names = ["2a9.png", "2a10.png", "10.png", "A.png", "a.png", "b.png"]
    natural = load_tool("tests/recipes/own_images.py").natural
    assert sorted(reversed(names), key=natural) == names


def test_quoted_paths(monkeypatch):
    """For sh, and for the command line of Windows."""
    tool = load_tool("tests/recipes/own_images.py")
    monkeypatch.setattr(tool.os, "name", "nt")
    assert tool.quoted("my a&b.mat") == '"my a&b.mat"'
    monkeypatch.setattr(tool.os, "name", "posix")
    assert shlex.split(tool.quoted("it's $a.mat")) == ["it's $a.mat"]


def exif(orientation):
    """The EXIF data of a photo that was taken sideways."""
    data = Image.Exif()
    data[0x112] = orientation
    return data


FORMS = [  # the file, the mode, how it is saved, and how far its greys may be off
    ("a.jpg", "L", {"quality": 95}, 30),
    ("a.JPEG", "RGB", {"quality": 95, "exif": exif(6)}, 30),
    ("exif.png", "L", {"exif": exif(6)}, 0),
    ("a.BMP", "L", {}, 0),
    *[("a.png", mode, {}, 0) for mode in ("L", "RGB", "P", "LA", "RGBA")],
]


@pytest.mark.parametrize("name, mode, more, limit", FORMS)
def test_forms_of_pictures(name, mode, more, limit, pictures, run):
    """Every kind of file gives the same greys, upright."""
    picture = CORNER.rotate(90) if "exif" in more else CORNER
    picture.convert(mode).save(pictures / name, **more)
    last = train_x_of(run, pictures)[-1]  # letters come after digits
    assert np.abs(last - corner_picture()).max() <= limit


def png_of_16_bits():
    """A white PNG with 16 bits a colour, which Pillow cannot write."""

    def part(kind, data):
        sum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum

    header = part(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 16, 2, 0, 0, 0))
    pixels = part(b"IDAT", zlib.compress((b"\0" + b"\xff" * 6 * 28) * 28))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + part(b"IEND", b"")


BAD_PICTURES = {
    "bits16.png": lambda f: Image.fromarray(corner_picture().astype(np.uint16)).save(f),
    "colours16.png": lambda f: f.write_bytes(png_of_16_bits()),
    "a.tif": CORNER.save,
    "a.GIF": CORNER.save,
    "float.tiff": CORNER.convert("F").save,
    "tiff.png": lambda f: CORNER.save(f, format="TIFF"),
    "cmyk.jpg": CORNER.convert("CMYK").save,
    "transparent.png": Image.merge("LA", [CORNER, CORNER]).save,
    "palette.png": lambda f: CORNER.convert("P").save(f, transparency=0),
    "animated.png": lambda f: CORNER.save(
        f, save_all=True, append_images=[CORNER.rotate(90)]
    ),
    "thin.png": CORNER.resize((29, 1)).save,
    "text.png": lambda f: f.write_bytes(b"not a picture"),
    "cut.png": lambda f: f.write_bytes(png_of_16_bits()[:40]),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures(name, pictures, refused):
    """No scale is guessed: one line names the file."""
    BAD_PICTURES[name](pictures / name)
    refused("own_images", [pictures, "out.mat"], [name])


def test_size_and_middle(pictures, run):
    """A large picture keeps its proportions, and --invert makes dark ink white."""
    large = np.full((60, 120), 255, np.uint8)
    large[:30, :60] = 0  # ink in the upper left quarter
    Image.fromarray(large).save(pictures / "wide.png")
    Image.fromarray(large.T).save(pictures / "x_tall.png")
    wide, tall = train_x_of(run, pictures, "--invert")[-2:]
    expected = np.zeros((28, 28), bool)
    expected[7:14, :14] = True  # 14 rows in the middle, the upper half of their left
    assert np.array_equal(wide > 127, expected)
    assert np.array_equal(tall > 127, expected.T)


def test_white_pictures_are_remarked(pictures, run):
    assert "invert" not in run("own_images", pictures, "a.mat")[1].out
    for path in pictures.iterdir():
        Image.new("L", (28, 28), 250).save(path)
    assert "with --invert" in run("own_images", pictures, "b.mat")[1].out
    for path in pictures.iterdir():
        Image.new("L", (28, 28), 5).save(path)
    said = run("own_images", pictures, "c.mat", "--invert")[1].out
    assert "without --invert" in said


def test_bad_folders(pictures, refused, run, tmp_path, monkeypatch):
    (tmp_path / "old.mat").write_text("old")
    (tmp_path / "few" / "sub").mkdir(parents=True)
    CORNER.save(tmp_path / "few" / "1.png")
    bad = [
        (["none", "out.mat"], ["none"]),
        (["few", "out.mat"], ["few", "1 ", "16", "1 subfolder"]),
        ([pictures, "old.mat"], ["old.mat"]),
        ([pictures, "out.png"], ["out.png"]),
        ([pictures, "none/out.mat"], ["none/out.mat"]),
        ([pictures], ["--help"]),
    ]
    for flags, words in bad:
        refused("own_images", flags, words)
    assert (tmp_path / "old.mat").read_text() == "old"
    for path in pictures.iterdir():
        Image.new("L", (28, 28), 1).save(path)  # which the scripts refuse
    refused("own_images", [pictures, "out.mat"], [str(pictures), "255"])
    Image.new("L", (28, 28), 2).save(pictures / "1.png")
    tool = load_tool("tests/recipes/own_images.py")
    monkeypatch.setattr(tool, "savemat", no_space)
    status, said = run("own_images", pictures, "full.mat", tool=tool)
    assert status == 2 and said.err.count("\n") == 1 and "full.mat" in said.err
