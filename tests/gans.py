"""GANs of every family, made from flat arguments; see `flat`."""

from flat import flat

from keras_genai.losses import GradientPenalty, Hinge, Wasserstein
from keras_genai.modalities.image import Image, pictures
from keras_genai.networks.cyclegan import CycleGANGenerator
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from keras_genai.tasks.gan import GAN
from keras_genai.tasks.paired import Pix2Pix
from keras_genai.tasks.stylegan import StyleGAN
from keras_genai.tasks.unpaired import CycleGAN

DCGAN = {"generator": DCGANGenerator, "discriminator": DCGANDiscriminator}
STYLEGAN2 = {"generator": StyleGAN2Generator, "discriminator": StyleGAN2Discriminator}
PIX2PIX = {"generator": Pix2PixGenerator, "discriminator": PatchDiscriminator}
CYCLEGAN = {
    "generator_a": CycleGANGenerator,
    "generator_b": CycleGANGenerator,
    "discriminator_a": PatchDiscriminator,
    "discriminator_b": PatchDiscriminator,
}


def dcgan(shape, *given, **settings):
    return flat(GAN, DCGAN, pictures(shape), given, **settings)


def wgan_gp(shape, *given, **settings):
    own = {"norm": None, "loss": Wasserstein(), "penalty": GradientPenalty()}
    return dcgan(shape, *given, **{**own, "discriminator_steps": 5, **settings})


def video_gan(shape, *given, **settings):
    return dcgan(shape, *given, **{"norm": "spectral", "loss": Hinge(), **settings})


def stylegan2(shape, *given, **settings):
    return flat(StyleGAN, STYLEGAN2, pictures(shape), given, **settings)


def pix2pix(shape, source_shape, **settings):
    source = Image(source_shape, "condition")
    return flat(Pix2Pix, PIX2PIX, Image(shape), source, **settings)


def cyclegan(shape, source_shape, **settings):
    source = Image(source_shape, "condition")
    return flat(CycleGAN, CYCLEGAN, Image(shape), source, **settings)
