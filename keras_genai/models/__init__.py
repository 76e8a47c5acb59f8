"""One architecture a file; models never import each other.

All are imported here, so that a preset finds its class in the registry.
"""

from keras_genai.models.bart import BART
from keras_genai.models.bert import BERT
from keras_genai.models.blenderbot import Blenderbot
from keras_genai.models.cyclegan import CycleGAN
from keras_genai.models.dcgan import DCGAN
from keras_genai.models.dit import DiT
from keras_genai.models.gpt import GPT
from keras_genai.models.ngram import NGram
from keras_genai.models.pix2pix import Pix2Pix
from keras_genai.models.pixelcnn import PixelCNN
from keras_genai.models.recurrent_encoder import RecurrentEncoder
from keras_genai.models.rnn import RNNLM
from keras_genai.models.seq2seq import RecurrentSeq2Seq
from keras_genai.models.stylegan2 import StyleGAN2
from keras_genai.models.t5 import T5
from keras_genai.models.transformer import Transformer
from keras_genai.models.unet import UNet
from keras_genai.models.vae import MLPVAE, ConvolutionalVAE
from keras_genai.models.video_gan import VideoGAN
from keras_genai.models.vqvae import VQVAE
from keras_genai.models.wgan_gp import WGANGP

__all__ = [
    "BART",
    "BERT",
    "DCGAN",
    "GPT",
    "MLPVAE",
    "RNNLM",
    "T5",
    "VQVAE",
    "WGANGP",
    "Blenderbot",
    "ConvolutionalVAE",
    "CycleGAN",
    "DiT",
    "NGram",
    "Pix2Pix",
    "PixelCNN",
    "RecurrentEncoder",
    "RecurrentSeq2Seq",
    "StyleGAN2",
    "Transformer",
    "UNet",
    "VideoGAN",
]
