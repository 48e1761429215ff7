"""GNU Octave as the judge: it reads our checkpoints, we read what it saves."""

import os
import shutil

import numpy as np
import pytest
from conftest import OCTAVE, octave
from matlab_original import HOW, original
from PIL import Image
from scipy.io import loadmat, savemat

pytestmark = OCTAVE


def last_noise(gan):
    """The noise of the last batch of golden_run, (60, 100), drawn once more."""
    gan.rng(0)
    gan.nnsetup([100, 512, 784]), gan.nnsetup([784, 512, 1])
    for _ in range(2):
        gan.randperm(6000)
        for _ in range(100):
            noise = gan.unifrnd(-1, 1, 60, 100)
    return noise


@pytest.fixture
def folder(golden_run, tmp_path):
    """A folder with run.mat, a checkpoint, and noise.mat, its last batch's noise."""
    shutil.copy(golden_run.checkpoint, tmp_path / "run.mat")
    savemat(tmp_path / "noise.mat", {"noise": last_noise(golden_run.gan)})
    return tmp_path


DRAW = """
load('run.mat'); load('noise.mat');
layers = generator.layers;
layers{1}.a = noise; % as the original's nnff does
hidden = max(noise * layers{2}.w + layers{2}.b, 0);
images_fake = 1 ./ (1 + exp(-(hidden * layers{3}.w + layers{3}.b)));
save('-v7', 'out.mat', 'images_fake');
"""


def test_octave_draws_our_pictures(golden_run, folder):
    """By formulas of our own, so that the original need not be there."""
    octave(DRAW, folder)
    images_fake = loadmat(folder / "out.mat")["images_fake"]
    # rounding of sums of 512 products
    np.testing.assert_allclose(images_fake, golden_run.images_fake, rtol=0, atol=1e-12)


STEP = """
load('run.mat'); load('noise.mat');
% the original's words, from its loop, on our checkpoint
batch_size = 60; learning_rate = 0.01;
generator = nnff(generator, noise);
images_fake = generator.layers{generator.layers_count}.a;
discriminator = nnff(discriminator, images_fake);
logits_fake = discriminator.layers{discriminator.layers_count}.z;
discriminator = nnbp_d(discriminator, logits_fake, ones(batch_size, 1));
generator = nnbp_g(generator, discriminator);
generator = nnapplygrade(generator, learning_rate);
discriminator = nnapplygrade(discriminator, learning_rate);
e = 3;
save('-v7', 'workspace.mat', 'generator', 'discriminator', 'e');
save('-v7', 'images.mat', 'images_fake');
"""


def test_the_original_goes_on_from_our_checkpoint_and_we_from_its_workspace(
    golden_run, folder
):
    """The original's nnff, nnbp_d, nnbp_g, nnapplygrade on run.mat; then back again."""
    gan = golden_run.gan
    source = original()
    if source is None:
        pytest.skip(HOW)
    with open(os.path.join(source, f"{gan.__name__}.m"), encoding="utf-8") as f:
        text = f.read()
    functions = text[text.index("function") :]
    (folder / "step.m").write_text(f"1;\n{functions}\n{STEP}", encoding="utf-8")
    octave("source('step.m')", folder)

    images_fake = loadmat(folder / "images.mat")["images_fake"]
    np.testing.assert_allclose(images_fake, golden_run.images_fake, rtol=0, atol=1e-12)
    grid = np.asarray(Image.open(f"{golden_run.pics}/epoch_2_t_100.png"))
    tile = np.floor(255 * images_fake[5] + 0.5).reshape(28, 28).T
    np.testing.assert_array_equal(grid[28:56, 28:56], tile)

    # our step from the same checkpoint
    generator, discriminator = networks_of(gan, folder / "run.mat")
    theirs = networks_of(gan, folder / "workspace.mat")
    gan.nnff(discriminator, gan.nnff(generator, last_noise(gan))["layers"][-1]["a"])
    gan.nnbp_d(discriminator, discriminator["layers"][-1]["z"], np.ones((60, 1)))
    gan.nnbp_g(generator, discriminator)
    for mine, octaves in zip((generator, discriminator), theirs, strict=True):
        gan.nnapplygrade(mine, 0.01)
        assert mine.get("t") == octaves.get("t")
        for layer, x in zip(mine["layers"][1:], octaves["layers"][1:], strict=True):
            for k in gan.LAYER_STATE:
                # Adam divides by sqrt(w_v): rounding in small derivatives grows
                np.testing.assert_allclose(
                    x[k], layer[k], rtol=1e-9, atol=1e-12, err_msg=k
                )


def networks_of(gan, file):
    """The generator and the discriminator that a .mat file holds."""
    opt = gan.options(["--checkpoint", str(file)])
    networks = [gan.nnsetup([100, 512, 784]), gan.nnsetup([784, 512, 1])]
    saved = gan.load_mat(str(file), ["generator", "discriminator"], "")
    for nn, name in zip(networks, ("generator", "discriminator"), strict=True):
        gan.fill_network(opt, nn, saved[name])
    return networks
