"""The formulas of small networks; all else of a network the golden records prove.

No matrix is square, and there is a layer more than in the scripts.
"""

import numpy as np
import pytest

SIZES_G, SIZES_D, B = [5, 7, 6, 4], [4, 6, 5, 1], 3


def test_functions_elementwise(gan):
    """MATLAB's max(NaN, 0) is 0, and 0 has the derivative 0; exp may overflow."""
    x = np.array([[-1000.0, -1.0, -0.0, 0.0, 1e-300, 1000.0, np.nan, np.inf]])
    kept = x.copy()
    np.testing.assert_array_equal(gan.relu(x), [[0, 0, 0, 0, 1e-300, 1000, 0, np.inf]])
    np.testing.assert_array_equal(gan.delta_relu(x), [[0, 0, 0, 0, 1, 1, 0, 1]])
    with np.errstate(over="ignore"):
        y = gan.sigmoid(x)
    expected = [[0, 1 / (1 + np.e), 0.5, 0.5, 0.5, 1, np.nan, 1]]
    np.testing.assert_allclose(y, expected, rtol=1e-15)
    np.testing.assert_array_equal(x, kept)


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
    (30.0, 0, 1.0000000000000935),
    (0.0, 1, -1.0),
    (0.0, 0, 0.0),
    (-0.5, 1, 0.377540668798145 - 1),
    (-0.5, 0, 0.377540668798145),
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


def check_derivatives(nn, loss):
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
    """nnbp_d and nnbp_g; the original's derivative is right if all logits are < 0.

    `bias` shifts the discriminator's logits.
    """
    gan.rng(2)
    g, d = gan.nnsetup(SIZES_G), gan.nnsetup(SIZES_D)
    for layer in g["layers"][1:] + d["layers"][1:]:
        layer["w"] *= 20  # 0.4 N(0,1): so that no derivative is tiny
    d["layers"][-1]["b"] += bias
    noise, y = gan.unifrnd(-1, 1, B, 5), np.full((B, 1), float(label))
    delta = gan.delta_exact
    if gradient == "matlab":
        delta = gan.delta_sigmoid_cross_entropy
    loss_of(gan, g, d, noise, y)
    logits = d["layers"][-1]["z"]
    assert bias == 0 or (logits * bias > 0).all()
    assert gan.nnbp_d(d, logits, y, delta) is d and gan.nnbp_g(g, d) is g
    check_derivatives(d, lambda: loss_of(gan, g, d, noise, y))
    check_derivatives(g, lambda: loss_of(gan, g, d, noise, y))
    largest = max(abs(layer["dw"]).max() for layer in g["layers"][1:])
    assert largest > 1e-3 or abs(bias) == 9


def test_update_is_the_originals_to_the_bit(gan):
    """Several updates, each by the original's lines."""
    nn = gan.nnsetup(SIZES_D)
    state = [dict(layer) for layer in nn["layers"][1:]]
    for t in range(1, 6):
        for layer in nn["layers"][1:]:
            layer["dw"] = gan.randn(*layer["w"].shape)
            layer["db"] = gan.randn(*layer["b"].shape)
        assert gan.nnapplygrade(nn, 0.01) is nn
        for layer, x in zip(nn["layers"][1:], state, strict=True):
            for p in "wb":
                g = layer["d" + p]
                if gan.__name__ == "gan_adam":
                    x[p + "_m"] = 0.9 * x[p + "_m"] + (1 - 0.9) * g
                    x[p + "_v"] = 0.999 * x[p + "_v"] + (1 - 0.999) * (g * g)
                    lr = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                    x[p] = x[p] - lr * x[p + "_m"] / (np.sqrt(x[p + "_v"]) + 1e-8)
                else:
                    x[p] = x[p] - 0.01 * g
            for k in gan.LAYER_STATE:
                np.testing.assert_array_equal(layer[k], x[k])
