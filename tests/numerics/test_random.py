"""MATLAB's random stream, bit for bit, against numbers real MATLAB printed or saved.

Where a source has all digits of its numbers, equal means to the last bit; else to the
digits shown.
"""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from conftest import DATA, MATLAB, OCTAVE, ONE, ROOT, load_tool, octave, run_script
from scipy.io import loadmat

# what MATLAB saved: numbers and checksums, each with its source
with open(os.path.join(MATLAB, "matlab_numbers.json"), encoding="utf-8") as f:
    SAVED = json.load(f)


# ------------------------------------------------------------ numbers that MATLAB saved


@pytest.mark.parametrize("name", ["floridyn", "ccnorm"])
def test_saved_normal_numbers(gan, name):
    """A thousand, and fifty thousand sums; some digits, then the checksum of all."""
    if name == "floridyn":
        gan.rng(1234)
        y = gan.randn(1, 1000)
    else:
        gan.rng(0)
        x = gan.randn(100, 10)
        y = x[:, None, :] + gan.randn(100, 500).reshape(100, 50, 10, order="F")
    first = [float.fromhex(x) for x in SAVED[name]["first"]]
    assert y.ravel("F")[: len(first)].tolist() == first
    data = y.astype("<f8").tobytes(order="F")  # column by column
    assert hashlib.sha256(data).hexdigest() == SAVED[name]["sha256"]


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
            gan.rand(1, 18)  # MATLAB: poissrnd of 5, 10 and 15 takes as many pairs
        expected = np.reshape([float.fromhex(x) for x in values], shape, order="F")
        found = draw[name.split("_")[0]](*shape)
        np.testing.assert_array_equal(found, expected, err_msg=name)
        names.append(name)
    assert len(names) == 13


def test_sizes_do_not_matter(one):
    """Numbers drawn one by one, and some at a time, are those of one array."""
    sizes = [*[1] * 1500, *range(60), 3000]
    one.rng(3)
    parts = [one.randn(1, n)[0] for n in sizes]
    after = one.rand(1, 1)
    one.rng(3)
    np.testing.assert_array_equal(np.concatenate(parts), one.randn(1, sum(sizes))[0])
    assert one.rand(1, 1) == after


@pytest.mark.parametrize("saved", SAVED["states"], ids=lambda x: x["source"].split()[0])
def test_saved_states(gan, saved):
    """s = rng, saved by MATLAB: s.State is our 624 words and the position, uint32."""
    gan.rng(saved["seed"])
    gan.rand(1, saved["pairs_drawn"])
    _, words, position = gan.stream.get_state()[:3]
    assert position == saved["position"]
    state = np.append(words, position).astype("<u4")
    assert hashlib.sha256(state.tobytes()).hexdigest() == saved["sha256_of_State"]


def test_randperm_of_13340(gan):
    """How MATLAB split 13,340 news headlines, told by its counts of the categories."""
    folder = os.environ.get("GAN_EVIDENCE_DIR", ".")
    file = os.path.join(folder, "uci_news_categories_13340.txt")
    if not os.path.isfile(file):
        pytest.skip(f"set GAN_EVIDENCE_DIR: {SAVED['randperm_13340']['how']}")
    with open(file, encoding="ascii") as f:
        categories = np.array(list(f.read().strip()))
    assert categories.shape == (13340,)
    gan.rng(0)
    gan.randperm(10)
    parts = np.split(categories[gan.randperm(13340) - 1], [10672, 12006])
    counts = [[int((part == c).sum()) for c in "bemt"] for part in parts]
    assert counts == SAVED["randperm_13340"]["counts"]


def test_importing_reads_no_table(tmp_path):
    """The script alone in a folder names what it lacks, in one line."""
    script = shutil.copy(os.path.join(ROOT, f"{ONE}.py"), tmp_path)
    end = run_script(script.removesuffix(".py"), "--data", DATA, cwd=tmp_path)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.count("\n") == 1 and "randn_edges.txt" in end.stderr


OCTAVE_DRAWS = """
    matlab_random('seed', 0);
    sizes = {100, 512; 1, 512; 512, 784; 1, 784; 784, 512; 1, 512; 512, 1; 1, 1};
    start = [];
    for i = 1:8
        start = [start; reshape(matlab_random('randn', sizes{i, :}), [], 1)];
    end
    kk = matlab_random('randperm', 6000);
    matlab_random('seed', 1234);
    noise = matlab_random('rand', 60, 10000);
    save('-v7', 'numbers.mat', 'start', 'kk', 'noise');
"""


@OCTAVE
def test_octave_draws_the_same(one, tmp_path):
    """matlab_random.m: a start, an epoch's order and noise, another seed."""
    octave(OCTAVE_DRAWS, tmp_path)
    theirs = loadmat(tmp_path / "numbers.mat")
    one.rng(0)
    networks = one.nnsetup([100, 512, 784]), one.nnsetup([784, 512, 1])
    layers = [layer for nn in networks for layer in nn["layers"][1:]]
    start = [layer[k].ravel("F") for layer in layers for k in "wb"]
    # as normrnd(0, 0.02) makes them of randn
    expected = theirs["start"].ravel() * 0.02
    np.testing.assert_array_equal(np.concatenate(start), expected)
    np.testing.assert_array_equal(theirs["kk"].ravel(), one.randperm(6000))
    one.rng(1234)
    np.testing.assert_array_equal(theirs["noise"], one.rand(60, 10000))


@OCTAVE
def test_octave_goes_on_from_our_state(one, tmp_path):
    """A checkpoint's stream, at the start, within and at the end of its 624 words."""
    for drawn in 0, 1, 311, 312, 1000:
        one.rng(5)
        one.rand(1, drawn)
        _, words, position = one.stream.get_state()[:3]
        state = " ".join(map(str, [*words, position]))
        code = f"matlab_random('state', uint32([{state}])); "
        code += "x = matlab_random('rand', 1, 700); save('-v7', 'x.mat', 'x')"
        octave(code, tmp_path)
        x = loadmat(tmp_path / "x.mat")["x"]
        np.testing.assert_array_equal(x, one.rand(1, 700))


# ---------------------------------------------------------- numbers that MATLAB printed

# where it stands, the seed ("on": the stream goes on) and the call, the numbers row by
# row
PRINTED = """
# MATLAB printed them into the test suites of several public projects, e.g.
# github.com/JuliaFirstOrder/ProximalOperators.jl, benchmark/benchmarks.jl (the first
# 3); the same 10 stand in baxcat's and ForBES's tests; the last two: mne-cpp's tests
0 randn(4, 3).T
0.537667139546100 1.833885014595086 -2.258846861003648 0.862173320368121
0.318765239858981 -1.307688296305273 -0.433592022305684 0.342624466538650
3.578396939725760 2.769437029884877 -1.34988694015652 3.03492346633185

# people.math.sc.edu/Burkardt/m_src/matlab_random, randn_test.txt
123456789 [randn(1, 1) for _ in range(5)]
0.2265 0.0256107 0.0376636 0.364848 -1.05838

# MATLAB R2025b, with all digits: chebfunjax's example of Belyaev; the first ones also
# at stackoverflow.com/questions/38461588
1 randn(1, 4)
-0.64901376519124065 1.1811660419655317 -0.7584532972836916 -1.1096130385015222

on rand(1, 4)
0.1862602113776709 0.34556072704304774 0.39676747423066994 0.53881673400335695

# rand('twister',1337), A = rand(3,5), columns 1 and 5:
# stackoverflow.com/questions/18486241
1337 rand(3, 5).T[::4]
0.262024675015582 0.158683972154466 0.278126519494360
0.125057926335599 0.983548605143641 0.443224868645128

# right after start-up: mathworks.com/help/matlab/ref/randperm.html
0 randperm(6)
6 3 5 1 2 4

# a public m-file
1 randperm(15)
3 15 6 5 7 13 4 8 9 1 11 10 12 2 14

# people.math.sc.edu/Burkardt/m_src, matlab_random_test.txt of R2020a, R2020b, R2021b;
# the first 5 also at mathworks.com/help/matlab/ref/rand.html
0 rand(1, 11)
0.8147 0.9058 0.1270 0.9134 0.6324 0.0975 0.2785 0.5469 0.9575 0.9649 0.1576

on rand(3, 4)
0.9706 0.8003 0.9157 0.6557
0.9572 0.1419 0.7922 0.0357
0.4854 0.4218 0.9595 0.8491

# std2 in a public m-file
42 rand(100, 100).std(ddof=1)
0.287630126526993

# help: random numbers with specific mean and variance; their mean, deviation, variance
0 spread(5 * randn(1000, 1) + 500)
499.8368 4.9948 24.9483

# a public m-file; the numbers begin as in randi's help (archive.fo/PH8Nz)
0 randi(10, 8)[:3]
9 10 5 7 3 5 8 10
10 10 10 8 1 4 8 4
2 2 8 8 1 8 3 6

# stackoverflow.com/questions/66950410
2 randi([-10, 10], 4, 4)
-1 -2 -4 -8
-10 -4 -5 0
1 -6 3 -7
-1 3 1 6
"""


def test_numbers_that_matlab_printed(gan):
    """Each, rounded to as many decimals as its text has; randi is matlab_random's."""
    matlab = load_tool("tests/recipes/matlab_random.py")
    known = vars(gan) | {"randi": matlab.randi}
    known["spread"] = lambda x: (x.mean(), x.std(ddof=1), x.var(ddof=1))
    for entry in PRINTED.strip().split("\n\n"):
        head, *rows = [x for x in entry.split("\n") if x[0] != "#"]
        seed, call = head.split(" ", 1)
        if seed != "on":
            gan.rng(int(seed))
            matlab.rng(int(seed))
        texts = " ".join(rows).split()
        numbers = zip(np.ravel(eval(call, known)), texts, strict=True)
        found = [f"{x:.{len(text.partition('.')[2])}f}" for x, text in numbers]
        assert found == texts, call
