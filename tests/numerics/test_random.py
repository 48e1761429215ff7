"""MATLAB's random stream, bit for bit, against numbers real MATLAB printed or saved.

Where a source has all digits of its numbers, equal means to the last bit; else to the
digits shown.
"""

import hashlib
import json
import math
import os
import shutil

import numpy as np
import pytest
from conftest import OCTAVE, ROOT, TESTS, load_tool, octave, run_script
from scipy.io import loadmat

MATLAB = os.path.join(TESTS, "matlab")
# what MATLAB saved: numbers and checksums, each with its source
with open(os.path.join(MATLAB, "matlab_numbers.json"), encoding="utf-8") as f:
    SAVED = json.load(f)
with open(os.path.join(ROOT, "data", "randn_edges.txt"), encoding="ascii") as f:
    TABLE = [line.strip() for line in f if line[0] != "%"]

# randn after rng(0,'twister'), as MATLAB printed it into the test suites of several
# public projects, e.g. github.com/JuliaFirstOrder/ProximalOperators.jl,
# benchmark/benchmarks.jl (the first 3); the same 10 stand in baxcat's and ForBES's
# tests. The last two: mne-cpp's tests.
RANDN_0 = """0.537667139546100 1.833885014595086 -2.258846861003648 0.862173320368121
    0.318765239858981 -1.307688296305273 -0.433592022305684 0.342624466538650
    3.578396939725760 2.769437029884877 -1.34988694015652 3.03492346633185"""
# rng(123456789), five times randn:
# people.math.sc.edu/Burkardt/m_src/matlab_random, randn_test.txt
RANDN_123456789 = "0.2265 0.0256107 0.0376636 0.364848 -1.05838"
# rng(1), randn: stackoverflow.com/questions/38461588; randn(1,5) as MATLAB displays it
RANDN_1 = "-0.649013765191241"
RANDN_1_SHORT = "-0.6490 1.1812 -0.7585 -1.1096 -0.8456"


# ------------------------------------------------------------ numbers that MATLAB saved


def floridyn_randn(gan):
    """The 1000 normal numbers whose checksum in MATLAB is known: (1, 1000)."""
    gan.rng(1234)
    return gan.randn(1, 1000)


def ccnorm_sums(gan):
    """y = reshape(x, 100, 1, 10) + randn(100, 50, 10) with x = randn(100, 10).

    The shape of y is (100, 50, 10).
    """
    gan.rng(0)
    x = gan.randn(100, 10)
    return x[:, None, :] + gan.randn(100, 500).reshape(100, 50, 10, order="F")


def sha256(y):
    """The checksum of an array's bytes, column by column, as little-endian doubles."""
    return hashlib.sha256(y.astype("<f8").tobytes(order="F")).hexdigest()


def first_are(name, y):
    """Whether y begins, column by column, with the first known numbers of `name`."""
    first = SAVED[name]["first"]
    return [x.hex() for x in y.ravel("F")[: len(first)].tolist()] == first


def test_a_thousand_normal_numbers(gan):
    """The start is looked at by itself: a checksum does not tell what is wrong."""
    y = floridyn_randn(gan)
    assert first_are("floridyn", y)
    assert sha256(y) == SAVED["floridyn"]["sha256"]


def test_fifty_one_thousand_normal_numbers(gan):
    """The same of 50,000 sums."""
    y = ccnorm_sums(gan)
    assert first_are("ccnorm", y)
    assert sha256(y) == SAVED["ccnorm"]["sha256"]


@pytest.fixture
def edges(gan, tmp_path, monkeypatch):
    """A function that makes the script read another table: a list of lines."""
    (tmp_path / "data").mkdir()

    def replace(lines):
        text = "".join(f"{x}\n" for x in lines)
        (tmp_path / "data" / "randn_edges.txt").write_text(text, encoding="ascii")
        monkeypatch.setattr(gan, "HERE", str(tmp_path))

    return replace


@pytest.mark.parametrize("strip", [1, 60, 140, 223, 255, 256])
@pytest.mark.parametrize("change", [-1, 1])
def test_one_digit_of_one_edge_shows(gan, edges, strip, change):
    """Edges are seen by both files, to the 15th digit: 255 is where the tail begins."""
    lines = TABLE.copy()
    decimals = 15 if lines[strip].startswith("0") else 14
    lines[strip] = f"{float(lines[strip]) + change * 10**-decimals:.{decimals}f}"
    right = floridyn_randn(gan)
    edges(lines)
    wrong = floridyn_randn(gan)
    assert (wrong != right).any() and (wrong == right).any()
    assert sha256(wrong) != SAVED["floridyn"]["sha256"]
    assert sha256(ccnorm_sums(gan)) != SAVED["ccnorm"]["sha256"]


def test_one_stream_for_all(gan):
    """After rng(2808), every function in turn must take as many words as MATLAB's."""
    gan.rng(2808)
    draw = {
        "randn": gan.randn,
        "rand": gan.rand,
        "normal": lambda m, n: gan.normrnd(*((0, 1) if m == 1 else (2, 0.5)), m, n),
        "uniform": lambda m, n: gan.unifrnd(*((-1, 1) if m == 1 else (0, 5)), m, n),
        "randi": lambda m, n: np.floor(gan.rand(m, n) * (10 if m == 1 else 100)) + 1,
        "randperm": lambda m, n: gan.randperm(n)[None],
    }
    names = []
    for name, shape, values in SAVED["one_stream_2808"]["values"]:
        if name == "normal_1":
            gan.rand(
                1, 18
            )  # MATLAB: poissrnd of 5, 10 and 15, which takes as many pairs
        expected = np.reshape([float.fromhex(x) for x in values], shape, order="F")
        np.testing.assert_array_equal(
            draw[name.split("_")[0]](*shape), expected, err_msg=name
        )
        names.append(name)
    assert len(names) == 13


@pytest.mark.parametrize("saved", SAVED["states"], ids=lambda x: x["source"].split()[0])
def test_saved_states(gan, saved):
    """s = rng, saved by MATLAB: s.State is our 624 words and the position, uint32."""
    gan.rng(saved["seed"])
    gan.rand(1, saved["pairs_drawn"])
    _, words, position = gan.stream.get_state()[:3]
    assert position == saved["position"]
    state = np.append(words, position).astype("<u4")
    assert hashlib.sha256(state.tobytes()).hexdigest() == saved["sha256_of_State"]


def test_randperm_of_13340():
    """How MATLAB split 13,340 news headlines, told by its counts of the categories."""
    file = os.path.join(
        os.environ.get("GAN_EVIDENCE_DIR", "."), "uci_news_categories_13340.txt"
    )
    if not os.path.isfile(file):
        pytest.skip(f"set GAN_EVIDENCE_DIR: {SAVED['randperm_13340']['how']}")
    with open(file, encoding="ascii") as f:
        categories = np.array(list(f.read().strip()))
    assert categories.shape == (13340,)
    import gan_adam
    import gan_mbgd

    for gan in gan_adam, gan_mbgd:
        gan.rng(0)
        gan.randperm(10)
        mixed = categories[gan.randperm(13340) - 1]
        parts = np.split(mixed, [10672, 12006])
        counts = [[int((part == c).sum()) for c in "bemt"] for part in parts]
        assert counts == SAVED["randperm_13340"]["counts"]


def test_importing_reads_no_table(gan, tmp_path):
    """The script alone in a folder says what its flags are, and then what it lacks.

    What it lacks takes one line.
    """
    shutil.copy(os.path.join(ROOT, f"{gan.__name__}.py"), tmp_path)
    end = run_script(tmp_path / gan.__name__, "--help", cwd=tmp_path)
    assert (end.returncode, end.stderr) == (0, "")
    data = os.path.join(ROOT, "data", "mnist_uint8.mat")
    end = run_script(tmp_path / gan.__name__, "--data", data, cwd=tmp_path)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.count("\n") == 1 and "randn_edges.txt: No such file" in end.stderr


def octave_numbers(folder):
    """What matlab_random.m draws in Octave from seed 0.

    That is a start and an epoch of 6000 images.
    """
    code = f"""
    addpath('{MATLAB}');
    matlab_random('seed', 0);
    sizes = {{100, 512; 1, 512; 512, 784; 1, 784; 784, 512; 1, 512; 512, 1; 1, 1}};
    start = [];
    for i = 1:8
        start = [start; reshape(matlab_random('randn', sizes{{i, :}}), [], 1)];
    end
    kk = matlab_random('randperm', 6000);
    noise = zeros(6000, 100);
    for i = 1:100
        noise(60*i-59:60*i, :) = matlab_random('rand', 60, 100);
    end
    matlab_random('seed', 1234);
    floridyn = matlab_random('randn', 1, 1000);
    matlab_random('seed', 0);
    x = matlab_random('randn', 100, 10);
    y = reshape(x, 100, 1, 10) + reshape(matlab_random('randn', 100, 500), 100, 50, 10);
    save('-v7', 'numbers.mat', 'start', 'kk', 'noise', 'floridyn', 'y');
    """
    octave(code, folder)
    return loadmat(folder / "numbers.mat")


@OCTAVE
def test_octave_draws_the_same(gan, tmp_path):
    """The 856,337 numbers of a start and an epoch, and what MATLAB saved.

    The epoch's numbers are its shuffle and its noise.
    """
    theirs = octave_numbers(tmp_path)
    gan.rng(0)
    sizes = (
        (100, 512),
        (1, 512),
        (512, 784),
        (1, 784),
        (784, 512),
        (1, 512),
        (512, 1),
        (1, 1),
    )
    start = np.concatenate([gan.randn(*size).ravel("F") for size in sizes])
    assert start.size == 856337
    np.testing.assert_array_equal(theirs["start"].ravel(), start)
    np.testing.assert_array_equal(theirs["kk"].ravel(), gan.randperm(6000))
    noise = np.concatenate([gan.rand(60, 100) for _ in range(100)])
    np.testing.assert_array_equal(theirs["noise"], noise)
    assert sha256(theirs["floridyn"]) == SAVED["floridyn"]["sha256"]
    assert sha256(theirs["y"]) == SAVED["ccnorm"]["sha256"]


@OCTAVE
def test_octave_goes_on_from_our_state(gan, tmp_path):
    """A checkpoint's stream, at the start, within and at the end of its 624 words."""
    for drawn in 0, 1, 311, 312, 1000:
        gan.rng(5)
        gan.rand(1, drawn)
        _, words, position = gan.stream.get_state()[:3]
        state = " ".join(map(str, [*words, position]))
        octave(
            f"addpath('{MATLAB}'); matlab_random('state', uint32([{state}])); "
            "x = matlab_random('rand', 1, 700); save('-v7', 'x.mat', 'x')",
            tmp_path,
        )
        np.testing.assert_array_equal(
            loadmat(tmp_path / "x.mat")["x"], gan.rand(1, 700)
        )


# ---------------------------------------------------------- numbers that MATLAB printed


def assert_printed(numbers, texts):
    """Each number, rounded to as many decimals as its text has, is that text."""
    texts = texts.split()
    assert [
        f"{x:.{len(t.partition('.')[2])}f}" for x, t in zip(numbers, texts, strict=True)
    ] == texts


def test_randn_of_matlab(gan):
    gan.rng(0)
    assert_printed(gan.randn(4, 3).ravel("F"), RANDN_0)
    gan.rng(1)
    assert_printed(gan.randn(1, 1)[0], RANDN_1)
    gan.rng(1)
    assert_printed(gan.randn(1, 5)[0], RANDN_1_SHORT)
    gan.rng(123456789)
    assert_printed([gan.randn(1, 1)[0, 0] for _ in range(5)], RANDN_123456789)


def test_rand_of_matlab(gan):
    """rng(0): mathworks.com/help/matlab/ref/rand.html; rng(22) as MATLAB shows it."""
    for seed, texts in (
        (0, "0.8147 0.9058 0.1270 0.9134 0.6324"),
        (5489, "0.8147 0.9058 0.1270 0.9134 0.6324"),
        (22, "0.2085 0.4817 0.4205 0.8592 0.1712"),
    ):
        gan.rng(seed)
        assert_printed(gan.rand(1, 5)[0], texts)
    # rng(1), rand: stackoverflow.com/questions/38461588
    gan.rng(1)
    assert_printed(gan.rand(1, 1)[0], "0.417022004702574")


def test_rand_fills_columns(gan):
    """rand('twister',1337), A = rand(3,5): stackoverflow.com/questions/18486241."""
    gan.rng(1337)
    a = gan.rand(3, 5)
    assert_printed(a[:, 0], "0.262024675015582 0.158683972154466 0.278126519494360")
    assert_printed(a[:, 4], "0.125057926335599 0.983548605143641 0.443224868645128")


def test_randperm_of_matlab(gan):
    """Right after start-up: mathworks.com/help/matlab/ref/randperm.html."""
    for n, numbers in (6, [6, 3, 5, 1, 2, 4]), (8, [6, 3, 7, 8, 5, 1, 2, 4]):
        gan.rng(0)
        assert gan.randperm(n).tolist() == numbers


# more that MATLAB printed: where it stands, the seed ("on": the stream goes on) and the
# call, the numbers row by row
MORE_PRINTED = """
# people.math.sc.edu/Burkardt/m_src, matlab_random_test.txt of R2020a, R2020b, R2021b;
# with the first four of the next, MATLAB's help of 2009 too (bruv81b.html)
0 rand(1, 11)
0.8147 0.9058 0.1270 0.9134 0.6324 0.0975 0.2785 0.5469 0.9575 0.9649 0.1576

on rand(3, 4)
0.9706 0.8003 0.9157 0.6557
0.9572 0.1419 0.7922 0.0357
0.4854 0.4218 0.9595 0.8491

on rand(5, 5)
0.9340 0.6555 0.0462 0.9502 0.7952
0.6787 0.1712 0.0971 0.0344 0.1869
0.7577 0.7060 0.8235 0.4387 0.4898
0.7431 0.0318 0.6948 0.3816 0.4456
0.3922 0.2769 0.3171 0.7655 0.6463

123456789 [rand(1, 1) for _ in range(5)]
0.532833 0.534137 0.509553 0.713564 0.256999

987654321 [rand(1, 1) for _ in range(5)]
0.0729883 0.216037 0.464753 0.62259 0.618388

# the projectors of the toolbox faust
42 rand(5, 5)[:4]
0.3745 0.1560 0.0206 0.1834 0.6119
0.9507 0.0581 0.9699 0.3042 0.1395
0.7320 0.8662 0.8324 0.5248 0.2921
0.5987 0.6011 0.2123 0.4319 0.3664

# std2 in a public m-file
42 rand(100, 100).std(ddof=1)
0.287630126526993

# public m-files, as the next two and randi(10, 8)
123 rand(1, 5)
0.6965 0.2861 0.2269 0.5513 0.7195

1 randperm(15)
3 15 6 5 7 13 4 8 9 1 11 10 12 2 14

0 randperm(7)
6 3 7 5 1 2 4

# help: random numbers with specific mean and variance; their mean, deviation, variance
0 spread(5 * randn(1000, 1) + 500)
499.8368 4.9948 24.9483

# help: random numbers within a specific range; the smallest and the largest
0 limits(50 * rand(1000, 1) + 50)
50.0261 99.9746

# the same page
0 limits(randi([-10, 10], 1, 1000))
-10 10

# the first 36 also as randi(10, 6), the first ten in randi's help (archive.fo/PH8Nz)
0 randi(10, 8)
9 10 5 7 3 5 8 10
10 10 10 8 1 4 8 4
2 2 8 8 1 8 3 6
10 10 10 4 9 8 7 3
7 10 7 7 7 2 7 8
1 5 1 2 4 5 2 3
3 9 9 8 10 5 2 6
6 2 10 1 1 7 5 7

# stackoverflow.com/questions/66950410
2 randi([-10, 10], 4, 4)
-1 -2 -4 -8
-10 -4 -5 0
1 -6 3 -7
-1 3 1 6
"""
# MATLAB R2025b, rng(1), randn(1,4), then rand(1,4), with all digits: chebfunjax's
# example of Belyaev
R2025B_RANDN = [
    -0.64901376519124065,
    1.1811660419655317,
    -0.7584532972836916,
    -1.1096130385015222,
]
R2025B_RAND = [
    0.1862602113776709,
    0.34556072704304774,
    0.39676747423066994,
    0.53881673400335695,
]


def test_more_numbers_of_matlab(gan):
    """randi, which the scripts lack, is matlab_random's."""
    matlab = load_tool("tests/recipes/matlab_random.py")
    known = {
        **vars(gan),
        "randi": matlab.randi,
        "spread": lambda x: (x.mean(), x.std(ddof=1), x.var(ddof=1)),
        "limits": lambda x: (x.min(), x.max()),
    }
    for entry in MORE_PRINTED.strip().split("\n\n"):
        head, *numbers = [x for x in entry.split("\n") if x[0] != "#"]
        seed, call = head.split(" ", 1)
        if seed != "on":
            gan.rng(int(seed))
            matlab.rng(int(seed))
        assert_printed(np.ravel(eval(call, known)), " ".join(numbers))
    gan.rng(1)
    assert gan.randn(1, 4).tolist() == [R2025B_RANDN]
    assert gan.rand(1, 4).tolist() == [R2025B_RAND]


# ------------------------------------------------------------------- our own arithmetic


def test_unifrnd_and_normrnd_use_the_one_stream(gan):
    gan.rng(3)
    first, second, third = gan.rand(2, 3), gan.randn(2, 3), gan.rand(1, 1)
    gan.rng(3)
    np.testing.assert_array_equal(gan.unifrnd(-1, 1, 2, 3), 2 * first - 1)
    np.testing.assert_array_equal(gan.normrnd(5, 0.02, 2, 3), second * 0.02 + 5)
    np.testing.assert_array_equal(gan.unifrnd(2, 6, 1, 1), 4 + 2 * (2 * third - 1))


def slow_randn(outputs, edges):
    """The ziggurat from the formula, a value at a time; `outputs` yields 32 bits."""

    def f(x):
        return math.exp(-x * x / 2)

    def uniform():
        u0, u1 = next(outputs), next(outputs)
        return ((u0 >> 5) * 2**26 + (u1 >> 6)) / 2**53

    r = 3.65415288536101
    while True:
        u0, u1 = next(outputs), next(outputs)
        i = (u1 >> 24) + 1
        x = (((u0 >> 3) * 2**24 + (u1 & 0xFFFFFF)) * 2.0**-52 - 1) * edges[i]
        if abs(x) <= edges[i - 1]:
            yield x
        elif i < 256:
            if f(edges[i]) + uniform() * (f(edges[i - 1]) - f(edges[i])) < f(x):
                yield x
        else:
            while True:
                a = math.log(uniform()) * 0.273661237329758
                b = math.log(uniform())
                if -2 * b > a * a:
                    break
            yield a - r if x < 0 else r - a


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_randn_is_the_slow_version_to_the_bit(gan, seed):
    """Also the count of 32-bit outputs: the draws after each array must agree too."""
    state = np.random.RandomState(seed)

    def outputs():
        while True:
            yield from map(int, state.randint(0, 2**32, 10**4, dtype=np.uint32))

    slow = slow_randn(outputs(), [float(x) for x in TABLE])
    gan.rng(seed)
    for m, n in (1, 1), (3, 2), (40000, 2), *[(1, 1)] * 500, (7, 1000), (1, 3):
        expected = np.reshape([next(slow) for _ in range(m * n)], (m, n), order="F")
        np.testing.assert_array_equal(gan.randn(m, n), expected)


def test_a_million_draws(gan):
    """Moments within 5 standard errors; the tails on both sides as often as due."""
    gan.rng(7)
    x, n, r = gan.randn(1000, 1000), 1e6, 3.65415288536101
    for k, moment, variance in (1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96):
        assert abs((x**k).mean() - moment) < 5 * math.sqrt(variance / n)
    for tail in x[x > r], -x[x < -r]:
        expected = n * math.erfc(r / math.sqrt(2)) / 2  # 129
        assert abs(tail.size - expected) < 5 * math.sqrt(expected)
    assert len(np.unique(x)) == n
