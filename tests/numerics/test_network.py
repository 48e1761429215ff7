"""Forward, backward and update of small networks, each against its own formula.

No matrix is square, and there is a layer more than in the scripts.
"""

import numpy as np
import pytest

SIZES_G, SIZES_D, B = [5, 7, 6, 4], [4, 6, 5, 1], 3


def networks(gan, seed=1, bias=0.0):
    """A generator and a discriminator; `bias` shifts the discriminator's logits."""
    gan.rng(seed)
    g, d = gan.nnsetup(SIZES_G), gan.nnsetup(SIZES_D)
    for nn in g, d:
        for layer in nn["layers"][1:]:
            layer["w"] *= 20  # 0.4 N(0,1): so that no derivative is tiny
    d["layers"][-1]["b"] += bias
    return g, d


def test_nnsetup_draws_in_the_originals_order(gan):
    gan.rng(4)
    nn = gan.nnsetup(SIZES_G)
    gan.rng(4)
    sizes = [(5, 7), (7, 6), (6, 4)]
    for layer, (m, n) in zip(nn["layers"][1:], sizes, strict=True):
        np.testing.assert_array_equal(layer["w"], 0.02 * gan.randn(m, n))
        np.testing.assert_array_equal(layer["b"], 0.02 * gan.randn(1, n))
    assert nn["layers_count"] == 4 and nn["layers"][0] == {}


def test_nnff(gan):
    """Forward, an element at a time."""
    g, _ = networks(gan)
    x = gan.unifrnd(-1, 1, B, 5)
    assert gan.nnff(g, x) is g
    a = x
    for i in 1, 2, 3:
        w, b, z = (g["layers"][i][k] for k in "wbz")
        for row in range(B):
            for col in range(w.shape[1]):
                expected = sum(a[row, k] * w[k, col] for k in range(len(w)))
                # a few roundings of numbers below 2
                assert abs(z[row, col] - (expected + b[0, col])) < 1e-14
        a = np.where(z > 0, z, 0) if i < 3 else 1 / (1 + np.exp(-z))
        np.testing.assert_allclose(g["layers"][i]["a"], a, rtol=1e-15, atol=0)
        assert g["layers"][i]["a"].shape == (B, SIZES_G[i])


def test_relu_and_its_derivative(gan):
    """MATLAB's max(NaN, 0) is 0, and 0 has the derivative 0."""
    x = np.array([[-2.0, -0.0, 0.0, 1e-300, 3.0, np.nan, np.inf]])
    np.testing.assert_array_equal(gan.relu(x), [[0, 0, 0, 1e-300, 3, 0, np.inf]])
    np.testing.assert_array_equal(gan.delta_relu(x), [[0, 0, 0, 1, 1, 0, 1]])


def test_sigmoid_overflows_as_in_matlab(gan):
    x = np.array([[-1000.0, -1.0, 0.0, 1000.0, np.nan]])
    with np.errstate(over="ignore"):
        y = gan.sigmoid(x)
    np.testing.assert_allclose(y, [[0, 1 / (1 + np.e), 0.5, 1, np.nan]], rtol=1e-15)
    np.testing.assert_array_equal(x, [[-1000, -1, 0, 1000, np.nan]])


def test_sigmoid_cross_entropy(gan):
    """Against -y log s - (1-y) log(1-s), exact enough for logits of this size."""
    z = np.array([[-3.0], [-0.5], [0.0], [2.0]])
    y = np.array([[1.0], [0.0], [1.0], [1.0]])
    s = 1 / (1 + np.exp(-z))
    expected = np.mean(-y * np.log(s) - (1 - y) * np.log(1 - s))
    assert abs(gan.sigmoid_cross_entropy(z, y) - expected) < 1e-15
    # and where s is 0 or 1 to the last digit
    assert gan.sigmoid_cross_entropy(np.array([[-800.0]]), np.array([[1.0]])) == 800


# z, label, the original's derivative: 2-s-y above 0, -y at 0, s-y below; s = sigmoid(z)
BUG = [
    (2.0, 1, 1 - 0.880797077977882),
    (2.0, 0, 2 - 0.880797077977882),
    (0.5, 1, 1 - 0.622459331201855),
    (30.0, 0, 1.0000000000000935),
    (0.0, 1, -1.0),
    (0.0, 0, 0.0),
    (-0.5, 1, 0.377540668798145 - 1),
    (-0.5, 0, 0.377540668798145),
    (-2.0, 1, 0.119202922022118 - 1),
    (-800.0, 1, -1.0),
]


def test_the_originals_bug_is_kept(gan):
    z, y, expected = np.array(BUG)[:, :, None].transpose(1, 0, 2)
    logits = z.copy()
    result = gan.delta_sigmoid_cross_entropy(logits, y)
    # the table has 15 digits
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-15)
    np.testing.assert_array_equal(logits, z)  # not changed by the call


def loss_of(gan, g, d, noise, y):
    d = gan.nnff(d, gan.nnff(g, noise)["layers"][-1]["a"])
    return gan.sigmoid_cross_entropy(d["layers"][-1]["z"], y)


def check_derivatives(gan, nn, loss):
    """Every dw and db of `nn` against the central difference of the function `loss`."""
    h = 1e-5
    for layer in nn["layers"][1:]:
        for name in "wb":
            x, dx = layer[name], layer["d" + name].copy()
            assert dx.shape == x.shape
            for at in np.ndindex(*x.shape):
                kept = x[at]
                x[at] = kept + h
                above = loss()
                x[at] = kept - h
                below = loss()
                x[at] = kept
                # h*h times a third derivative below 10, and rounding of 1e-16 / h
                assert abs(dx[at] - (above - below) / (2 * h)) < 1e-9


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    "gradient, bias", [("matlab", -9), ("exact", -9), ("exact", 0), ("exact", 9)]
)
def test_backward_by_finite_differences(gan, label, gradient, bias):
    """nnbp_d and nnbp_g; the original's derivative is right if all logits are < 0."""
    g, d = networks(gan, seed=2, bias=bias)
    noise, y = gan.unifrnd(-1, 1, B, 5), np.full((B, 1), float(label))
    delta = gan.delta_exact
    if gradient == "matlab":
        delta = gan.delta_sigmoid_cross_entropy
    loss_of(gan, g, d, noise, y)
    logits = d["layers"][-1]["z"]
    assert (logits < 0).all() if bias < 0 else bias == 0 or (logits > 0).all()
    assert gan.nnbp_d(d, logits, y, delta) is d and gan.nnbp_g(g, d) is g
    check_derivatives(gan, d, lambda: loss_of(gan, g, d, noise, y))
    check_derivatives(gan, g, lambda: loss_of(gan, g, d, noise, y))
    largest = max(abs(layer["dw"]).max() for layer in g["layers"][1:])
    assert largest > 1e-3 or abs(bias) == 9


def test_update_is_the_originals_to_the_bit(gan):
    """Several updates, in place, against the original's lines that make new arrays."""
    _, nn = networks(gan)
    state = [{k: x[k].copy() for k in gan.LAYER_STATE} for x in nn["layers"][1:]]
    for t in range(1, 6):
        for layer in nn["layers"][1:]:
            layer["dw"] = np.asfortranarray(gan.randn(*layer["w"].shape))
            layer["db"] = gan.randn(*layer["b"].shape)
        kept = [{k: x[k].copy() for k in ("dw", "db")} for x in nn["layers"][1:]]
        assert gan.nnapplygrade(nn, 0.01) is nn
        for layer, x, dx in zip(nn["layers"][1:], state, kept, strict=True):
            for p in "wb":
                g = dx["d" + p]
                if gan.__name__ == "gan_adam":
                    x[p + "_m"] = 0.9 * x[p + "_m"] + (1 - 0.9) * g
                    x[p + "_v"] = 0.999 * x[p + "_v"] + (1 - 0.999) * (g * g)
                    lr = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                    x[p] = x[p] - lr * x[p + "_m"] / (np.sqrt(x[p + "_v"]) + 1e-8)
                else:
                    x[p] = x[p] - 0.01 * g
                np.testing.assert_array_equal(layer["d" + p], g)
            for k in gan.LAYER_STATE:
                np.testing.assert_array_equal(layer[k], x[k])
    assert nn.get("t") == (5 if gan.__name__ == "gan_adam" else None)
