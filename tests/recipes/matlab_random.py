"""MATLAB's random numbers in Python, to the last bit, with NumPy alone.

    rng rand randn randi randperm unifrnd normrnd

To use them, copy this file and data/randn_edges.txt into one folder, and write

    from matlab_random import rng, rand, randn

    rng(0)            # a fresh MATLAB starts with 0
    x = rand(1, 3)    # 0.8147 0.9058 0.1270, as in MATLAB
    s = rng()         # the state of the stream: Type, Seed, State
    y = randn(2, 2)
    rng(s)            # the next numbers are those of y again

They take MATLAB's sizes, of type int: rand(), rand(3), rand(2, 3), rand([2, 3]),
rand(2, 3, 4). Without a size they give a number, else an array of two or more
dimensions. randi and randperm give whole numbers of type int. randperm(n) is a row,
(1, n): randperm(n)[0] - 1 is an order of rows in Python. A state that MATLAB saved by
s = rng; save('s.mat', 's') is set here by rng(scipy.io.loadmat("s.mat")["s"]).

Not covered: other generators than the twister, rng('shuffle'), randperm(n, k), arrays
as parameters of unifrnd and normrnd, and numbers of other types such as
rand(2, 3, 'single'). What cannot be used raises TypeError or ValueError, and draws
nothing.
"""

import math
import operator
import os

import numpy as np

HERE = os.path.dirname(os.path.realpath(__file__))

# -------------------------------------------------------------- as they are in MATLAB

seed_of_stream = 0  # the seed that the stream started from


def rng(seed=None, generator="twister"):
    """rng(seed), rng('default') or rng(s) sets the stream; s = rng() gives its state.

    s: a dict; Type is 'twister', Seed the seed, State (625, 1) uint32. As in MATLAB,
    before = rng(seed) gives the state before the change.
    """
    global seed_of_stream
    if generator != "twister":
        raise ValueError(f"rng: {generator} is not covered, only 'twister'")
    before = stream_state()
    if isinstance(seed, (dict, np.ndarray, np.void)):
        set_stream_state(seed)
    elif seed is not None:
        seed = operator.index(0 if seed == "default" else seed)
        seed_stream(seed)
        seed_of_stream = seed
    return before


def rand(*sizes):
    """Uniform numbers in 0..1."""
    return fill(uniform_matrix, sizes)


def randn(*sizes):
    """Standard normal numbers."""
    return fill(normal_matrix, sizes)


def randi(limits, *sizes):
    """Whole numbers in 1..imax or imin..imax; limits: imax or [imin, imax]."""
    low, high = limits if np.ndim(limits) else (1, limits)
    low = operator.index(low)
    count = operator.index(high) - low + 1
    if not 1 <= count < 2**53:
        raise ValueError(f"randi: nothing, or too much, is in {low}..{high}")

    def draw(m, n):
        return low + np.floor(uniform_matrix(m, n) * count).astype(np.int64)

    return fill(draw, sizes)


def randperm(n):
    """The numbers 1..n in random order, (1, n)."""
    if operator.index(n) < 0:
        raise ValueError("randperm: n must not be negative")
    return np.argsort(rand(1, n), kind="stable") + 1


def unifrnd(a, b, *sizes):
    """Uniform numbers in a..b, two numbers."""
    a = float(a)
    b = float(b)
    if a > b:
        raise ValueError("unifrnd: a is above b, for which MATLAB gives NaN")
    return (a / 2 + b / 2) + (b / 2 - a / 2) * (2 * rand(*sizes) - 1)


def normrnd(mu, sigma, *sizes):
    """Normal numbers, mean mu, standard deviation sigma."""
    mu = float(mu)
    sigma = float(sigma)
    if sigma < 0:
        raise ValueError("normrnd: sigma is below 0, for which MATLAB gives NaN")
    return randn(*sizes) * sigma + mu


# --------------------------------------------------------------- sizes and the state


def fill(draw, sizes):
    """Numbers of draw(m, n), in an array of the size (n,), (m, n, ...) or ([m, n],).

    draw: uniform_matrix or normal_matrix, say. A number if sizes is empty.
    """
    if not sizes:
        return draw(1, 1).item()
    if np.ndim(sizes[0]) and len(sizes) == 1:
        sizes = sizes[0]
    size = [max(operator.index(n), 0) for n in sizes]  # MATLAB: a negative size is 0
    if len(size) < 2:
        size = size * 2 or [0, 0]  # MATLAB: rand(3) is 3 x 3, rand([]) is []
    while len(size) > 2 and size[-1] == 1:
        size.pop()  # MATLAB: rand(2, 3, 1) is 2 x 3
    return draw(1, math.prod(size)).reshape(size, order="F")


def stream_state():
    """The state of the stream as MATLAB's rng has it."""
    _, words, position, *_ = stream.get_state()
    state = np.append(words, np.uint32(position)).astype(np.uint32)
    seed = np.uint32(seed_of_stream)
    return {"Type": "twister", "Seed": seed, "State": state.reshape(625, 1)}


def set_stream_state(s):
    """Set the stream to the state s, of rng() or of loadmat; else ValueError."""
    global seed_of_stream
    if not isinstance(s, dict):  # loadmat: an array of arrays
        s = {name: np.asarray(s)[name].item() for name in s.dtype.names or ()}
    kind = np.squeeze(s.get("Type"))
    if str(kind) != "twister":
        raise ValueError(f"rng: needs a state whose Type is 'twister', not {kind}")
    numbers = np.append(s.get("Seed"), s.get("State"))
    if numbers.size != 626 or numbers.dtype.kind not in "fiu":
        raise ValueError("rng: Seed must be a number, and State 625 numbers")
    seed, *words, position = numbers.astype(float)
    is_word = (numbers >= 0) & (numbers < 2.0**32) & (numbers % 1 == 0)
    if not is_word.all() or not any(words) or position > 624:
        raise ValueError("rng: State is not a state of the twister")
    seed_of_stream = int(seed)
    stream.set_state(("MT19937", np.array(words, np.uint32), int(position)))


def edges_file():
    """Where randn_edges.txt is: in the repository, or beside this file."""
    file = f"{HERE}/../../data/randn_edges.txt"
    return file if os.path.isfile(file) else f"{HERE}/randn_edges.txt"


# ------------------------------------------------------------------- the generator
# Word for word from gan_adam.py, but for names: seed_stream is rng there,
# uniform_matrix rand, normal_matrix randn; and for the place of the table.

stream = np.random.RandomState(5489)  # MATLAB: one stream for rand, randn and randperm


def seed_stream(seed):
    """Seed the stream with a whole number in 0..2^32-1."""
    stream.seed(seed or 5489)  # MATLAB: 0 stands for 5489


def uniform_matrix(m, n):
    """Uniform numbers in 0..1, (m, n)."""
    return stream.random_sample(m * n).reshape(m, n, order="F")


def normal_matrix(m, n):
    """Standard normal numbers, (m, n), from MATLAB's ziggurat.

    Marsaglia and Tsang, J. Stat. Software 5(8), 2000: 256 strips, one on the other,
    cover the bell curve. A trial takes a pair of 32-bit words: 8 bits choose a strip,
    53 give x, a horizontal position in it. If the whole height of the strip is below
    the curve at x, x is the value. If not, further pairs decide.
    """
    with open(edges_file(), encoding="latin-1") as f:
        edges = np.loadtxt(f, comments="%")  # (257,): of the strips
    heights = np.exp(-edges * edges / 2)  # of the curve at the edges
    values = []
    while len(values) < m * n:
        # a value takes one pair or more, so this many pairs are never too many
        pairs = m * n - len(values)
        # the raw words of the twister, as rand takes them
        words = stream.randint(0, 2**32, (pairs, 2), dtype=np.uint32)
        first, second = words[:, 0], words[:, 1]
        strip = (second >> 24).astype(int) + 1  # 1..256
        place = ((first >> 3) * 2.0**24 + (second & 0xFFFFFF)) * 2.0**-52 - 1  # -1..1
        x = place * edges[strip]
        at_once = (np.abs(x) <= edges[strip - 1]).tolist()
        uniform = uniform_numbers(first, second).tolist()
        strip = strip.tolist()
        x = x.tolist()
        # each pair is taken once: next_uniform() takes some, and the loop the next ones
        unused = iter(range(pairs))
        for k in unused:
            if at_once[k]:
                values.append(x[k])
            elif strip[k] < 256:  # where the curve cuts the strip: a height decides
                low = heights[strip[k]]
                high = heights[strip[k] - 1]
                height = low + next_uniform(uniform, unused) * (high - low)
                if height < math.exp(-x[k] * x[k] / 2):
                    values.append(x[k])
            else:  # in the lowest strip, of the width edges[256], beyond r = edges[255]
                distance = tail(edges[255], uniform, unused)
                values.append(math.copysign(distance, x[k]))
    return np.array(values).reshape(m, n, order="F")


def uniform_numbers(first, second):
    """The numbers in 0..1, (n,), that rand makes of the words first, second, (n,)."""
    return ((first >> 5) * 2.0**26 + (second >> 6)) * 2.0**-53


def next_uniform(uniform, unused):
    """The next number of rand: of the next unused pair, or of a new one.

    uniform: a list, a number a pair. unused: an iterator over the indices of pairs.
    """
    k = next(unused, None)
    if k is None:
        return stream.random_sample()
    return uniform[k]


def tail(r, uniform, unused):
    """A normal number, a float, beyond r; Marsaglia's method for the tail."""
    while True:
        # both logarithms are below 0; the factor is MATLAB's 15 digits of 1 / r
        dx = math.log(next_uniform(uniform, unused)) * 0.273661237329758
        y = math.log(next_uniform(uniform, unused))
        if -2 * y > dx * dx:
            return r - dx
