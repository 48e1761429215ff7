"""GNU Octave as the judge: it reads our checkpoints, we read what it saves."""

import os
import shutil

import numpy as np
import pytest
from conftest import OCTAVE, last_noise, octave
from matlab_original import HOW, original
from scipy.io import loadmat, savemat

pytestmark = OCTAVE


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
    golden_run, tmp_path
):
    """The original's nnff, nnbp_d, nnbp_g, nnapplygrade on run.mat; then back again."""
    gan = golden_run.gan
    source = original()
    if source is None:
        pytest.skip(HOW)
    with open(os.path.join(source, f"{gan.__name__}.m"), encoding="utf-8") as f:
        text = f.read()
    functions = text[text.index("function") :]
    noise = last_noise(gan)
    shutil.copy(golden_run.checkpoint, tmp_path / "run.mat")
    savemat(tmp_path / "noise.mat", {"noise": noise})
    (tmp_path / "step.m").write_text(f"1;\n{functions}\n{STEP}", encoding="utf-8")
    octave("source('step.m')", tmp_path)

    images_fake = loadmat(tmp_path / "images.mat")["images_fake"]
    # rounding of sums of 512 products
    np.testing.assert_allclose(images_fake, golden_run.images_fake, rtol=0, atol=1e-12)

    # our step from the same checkpoint
    generator, discriminator = networks_of(gan, tmp_path / "run.mat")
    theirs = networks_of(gan, tmp_path / "workspace.mat")
    gan.nnff(discriminator, gan.nnff(generator, noise)["layers"][-1]["a"])
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
