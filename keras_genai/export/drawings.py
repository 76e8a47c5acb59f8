"""Pictures from labels and a seed, and from latents or codes, as endpoints."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_genai import draws
from keras_genai.export.endpoints import ROWS, Endpoint, small, spec
from keras_genai.export.forward import live
from keras_genai.export.seeding import state_of
from keras_genai.export.writing import write
from keras_genai.layers.attention import without_xla
from keras_genai.samplers import diffusion
from keras_genai.samplers.diffusion import DPMSolver, Walk
from keras_genai.samplers.penalties import LogitBias
from keras_genai.samplers.rules import apply_rules
from keras_genai.tasks import grid_draws, pictures
from keras_genai.tasks.codec import PictureCodec
from keras_genai.tasks.codes import CodeModel
from keras_genai.tasks.denoising import denoiser, padded
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.drawing import to_pictures
from keras_genai.tasks.gan import GAN
from keras_genai.tasks.hiding import can_be_open
from keras_genai.tasks.pixels import PixelModel
from keras_genai.tasks.prior import GridPrior, SequencePrior
from keras_genai.tasks.stylegan import StyleGAN
from keras_genai.tasks.variational import VAE

IMAGES = "images"
SEED = 7


def drawings(model, steps=30):
    """`generate`, `decode` and `encode` of a model of pictures.

    Args:
        model: `Task`.
        steps: int, of a `Diffusion`.

    Returns:
        `(endpoints, notes)`: lists of `Endpoint` and of str.
    """
    makers = {VAE: _of_vae, GAN: _of_gan, PictureCodec: _of_codec}
    makers |= {CodeModel: _of_codes}
    for kind, make in makers.items():
        if isinstance(model, kind):
            return make(model)
    return _of_diffusion(model, steps) if isinstance(model, Diffusion) else ([], [])


def _of_vae(model):
    def shown(latents, given):
        labels = given.get("labels")
        return model.likelihood.mean(model.network.decode(latents, labels))

    def draw(count, given, seed):
        key = pictures.key(seed)
        latents = tf.random.stateless_normal((count, model.latent_size), key)
        return latents, given

    def look(tensors):
        images, labels = tensors[IMAGES], tensors.get("labels")
        return {"latents": model.posterior(images, labels)[0]}

    latents = spec("float32", None, model.latent_size)
    return [
        *_generating(model, draw, shown, model.jit_generate),
        of_graph(
            "decode", _decoding(shown, "latents"), {"latents": latents, **_asked(model)}
        ),
        of_graph("encode", look, {IMAGES: _images(model), **_asked(model)}),
    ], []


def _of_codec(model):
    codes = spec("int32", None, *model.grid_shape)

    def shown(codes, given):
        return model.pictures_of(codes)

    def look(tensors):
        return {"codes": model.tokens_of(tensors[IMAGES])}

    return [
        of_graph("decode", _decoding(shown, "codes"), {"codes": codes}),
        of_graph("encode", look, {IMAGES: _images(model)}),
    ], []


def _of_gan(model):
    if type(model).draw not in (GAN.draw, StyleGAN.draw):
        return [], [
            f"generate is left out: a {type(model).__name__} makes pictures of pictures"
        ]
    states = [
        variable
        for variable in model.non_trainable_variables
        if variable.path.endswith("seed_generator_state")
    ]

    def draw(count, given, seed):
        # What the model draws from is not changed, so that calls may overlap.
        pairs = [
            (state, tf.cast(state_of(seed, index), state.dtype))
            for index, state in enumerate(states)
        ]
        with keras.StatelessScope(state_mapping=pairs):
            return to_pictures(model.draw(count, given)), given

    found = _generating(model, draw, lambda images, given: images, False)
    if type(model).draw is GAN.draw:
        size = model.generator.latent

        def shown(latents, given):
            return to_pictures(model.generator(latents, given, training=False))

        specs = {"latents": spec("float32", None, size), **_asked(model)}
        found.append(of_graph("decode", _decoding(shown, "latents"), specs))
    return found, []


def _of_codes(model):
    """Of priors of codes, and of pictures drawn pixel by pixel."""
    kinds = {SequencePrior: _sequences, GridPrior: _grids, PixelModel: _grids}
    draw_codes = kinds.get(type(model))
    if draw_codes is None:
        return [], [
            f"generate is left out: that of a {type(model).__name__} is a loop "
            "of the host"
        ]

    def shown(codes, given):
        if isinstance(model, PixelModel):
            return tf.cast(codes[..., None], tf.float32) / (model.levels - 1)
        return model.codec.pictures_of(codes)

    def draw(count, given, seed):
        with without_xla():
            return draw_codes(model, count, given.get("labels"), seed), given

    return _generating(model, draw, shown, False), []


def _grids(model, count, labels, seed):
    words = tf.bitcast(seed, tf.uint32)
    return grid_draws.grids(model, count, labels, words, tf.constant(1.0))


def _sequences(model, count, labels, seed):
    height, width = model.grid_shape
    size = model.network.vocabulary_size
    never = LogitBias(dict.fromkeys(range(model.num_codes, size), -float("inf")))
    numbers = tf.nest.map_structure(tf.constant, never.numbers(size))
    words = tf.bitcast(seed, tf.uint32)

    def choose(logits, history):
        logits = apply_rules((never,), logits, history, (numbers,))
        return draws.categorical(logits, draws.uniform(words, history.lengths))

    first = tf.fill((count,), model.num_codes)
    first = first if labels is None else first + labels
    most = tf.constant(1 + height * width)
    asked = {"stops": tf.zeros(size, tf.bool), "max_length": most, "source": None}
    prompts = first[:, None], tf.fill((count,), 1)
    text = write(model.network, choose, prompts, (), asked)
    return tf.reshape(text.tokens[:, 1:], (-1, height, width))


def _of_diffusion(model, steps):
    needed = [kind for kind in model.given if kind.null is None]
    if needed:
        return [], [
            f"generate is left out: this model is given {needed[0].argument}, and "
            "restores them"
        ]
    sampler = DPMSolver()
    levels = sampler.grid(model.schedule, steps)
    times = [np.asarray(part) for part in padded(levels)]
    guides = bool(model.label_dropout) and can_be_open(model.given)

    def draw(count, given, seed):
        return diffusion.first_noise((count, *model.sample_shape), levels, seed), given

    def walked(noise, given, guidance):
        numbers = {"condition": given, "guidance": guidance}
        state = diffusion.sample(
            sampler,
            denoiser(model, numbers),
            Walk(noise, tf.zeros_like(noise)),
            [tf.constant(part) for part in times],
            0,
            steps,
            tf.constant(0, tf.int64),  # this sampler draws nothing on its way
        )
        return model.to_images(state.noisy)

    def shown(noise, given):
        given = dict(given)
        guidance = given.pop("guidance", None)
        if guidance is None:
            return walked(noise, given, None)
        return tf.cond(
            guidance == 1,
            lambda: walked(noise, given, None),
            lambda: walked(noise, given, guidance),
        )

    more = {"guidance": (spec("float32"), np.float32(1))} if guides else {}
    own = functools.partial(model.generate, steps=steps, progress=False)
    found = _generating(model, draw, shown, model.jit_generate, more, own)
    return found, []


def _generating(model, draw, shown, compiles, more=None, own=None):
    """`generate`, and where the model itself is compiled `generate_xla`.

    Args:
        model: `Task`.
        draw: function of a count, a dict of what is given and a seed, which returns
            what is drawn and what is given. XLA would draw other numbers.
        shown: function of these two that returns pictures.
        compiles: bool.
        more: dict of further arguments by name: a spec and a value.
        own: the model's `generate`, or `None`.
    """
    more = more or {}
    rows = _asked(model)
    specs = dict(rows) or {"count": spec("int32")}
    specs |= {"seed": spec("int64")} | {name: each[0] for name, each in more.items()}
    example = {
        name: small(name, each, place)
        for place, (name, each) in enumerate(rows.items())
    } or {"count": np.int32(ROWS)}
    example |= {"seed": np.int64(SEED)}
    example |= {name: each[1] for name, each in more.items()}

    def expected(example):
        kinds = {kind.key: kind for kind in model.given}
        asked = {kinds[name].argument: example[name] for name in rows}
        asked |= {name: float(value) for name, (_, value) in more.items()}
        found = (own or model.generate)(count=ROWS, seed=SEED, **asked)
        return {IMAGES: np.asarray(found)}

    def endpoint(name, compiled):
        show = shown
        if compiled:
            show = tf.function(shown, jit_compile=True, autograph=False)

        def run(tensors):
            given = dict(tensors)
            seed = given.pop("seed")
            count = given.pop("count", None)
            if count is None:
                count = tf.shape(given[next(iter(rows))])[0]
            conditions = {key: given[key] for key in rows}
            drawn, _ = draw(count, conditions, seed)
            return {IMAGES: show(drawn, given)}

        return Endpoint(name, run, specs, example, expected, compiled)

    found = [endpoint("generate", False)]
    return [*found, endpoint("generate_xla", True)] if compiles else found


def _asked(model):
    """dict of `tf.TensorSpec` by key: what pictures are made from."""
    return {
        kind.key: spec(field.dtype, None, *field.shape)
        for kind in model.given
        for field in [kind.fields[kind.key]]
    }


def _images(model):
    return spec("float32", None, *model.image_shape)


def _decoding(shown, name):
    """A function of latents or codes, and of what is given."""

    def decode(tensors):
        given = {key: each for key, each in tensors.items() if key != name}
        return {IMAGES: shown(tensors[name], given)}

    return decode


def of_graph(name, function, specs):
    """An `Endpoint` whose function itself says what is expected."""
    example = {
        key: small(key, each, place) for place, (key, each) in enumerate(specs.items())
    }
    return Endpoint(name, function, specs, example, functools.partial(live, function))
