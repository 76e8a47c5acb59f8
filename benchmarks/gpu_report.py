"""What this library does on a GPU: one file, no data, one JSON to paste.

Run:  python -m pip install -e ".[gpu]"
      python benchmarks/gpu_report.py > report.json
      python benchmarks/gpu_report.py --small --parts parity,resume   # also on a CPU

Parts: `parity` (numbers, draws and texts of small models as on the CPU), `gpt` (GPT-2
124M, tokens/s of training in float32, TF32 and bfloat16, in graphs and in XLA),
`decoding` (tokens/s of 1, 8 and 32 texts), `pictures` (U-Net and DCGAN), `lstm`
(cuDNN's beside ours), `resume` (bit for bit, and two runs of one seed). What fails is
in the JSON with its reason, and the other parts go on. Without a GPU sizes are small.
"""

import argparse
import contextlib
import functools
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf

GPT2_SIZES = dict(
    vocabulary_size=50_257, context=1024, depth=12, width=768, num_heads=12
)
SMALL_SIZES = dict(vocabulary_size=257, context=64, depth=2, width=32, num_heads=2)
CLOSE = {"float32": 1e-4, "mixed_bfloat16": 2e-2}  # of the largest number
WARM = 3  # steps before a clock runs


def main(arguments=None):
    """Runs the parts that are asked for, and prints the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="which, by commas")
    parser.add_argument("--small", action="store_true", help="sizes for a CPU")
    parser.add_argument("--steps", type=int, default=20, help="of each timing")
    parser.add_argument("--batch", type=int, default=8, help="rows of 1,024 tokens")
    options = parser.parse_args(arguments)
    names = options.parts.split(",")
    if not {*names} <= {*PARTS}:
        parser.error(f"--parts must be of {', '.join(PARTS)}. Received: {names}")
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    options.small = options.small or not has_gpu()
    report = {"machine": machine(), "small": options.small}
    for name in names:
        start = time.perf_counter()
        report[name] = attempt(PARTS[name], options)
        report[name]["seconds"] = round(time.perf_counter() - start, 1)
        print(f"{name}: {report[name]['seconds']} s", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))


def attempt(run, *arguments):
    """What a function returns, or a dict that says why it did not."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the report alone is printed
            return run(*arguments)
    except Exception as error:  # of every kind: the report goes on
        reason = " ".join(str(error).split())[:300]
        return {"error": f"{type(error).__name__}: {reason}"}
    finally:
        keras.backend.clear_session()
        gc.collect()


# The machine.


def has_gpu():
    """Whether TensorFlow sees one."""
    return bool(tf.config.list_physical_devices("GPU"))


def machine():
    """dict of the devices, the driver and the versions."""
    build = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "gpus": [tf.config.experimental.get_device_details(gpu) for gpu in gpus],
        "driver": driver(),
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "compiled_for": build.get("cuda_compute_capabilities"),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def driver():
    """str of the version, as nvidia-smi says it; `None` without."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader"]
    said = subprocess.run(query, capture_output=True, text=True, check=False)
    return said.stdout.strip() or None


def peak(reset=False):
    """int: bytes of GPU memory at most since the last reset; `None` on a CPU."""
    if not has_gpu():
        return None
    found = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    if reset:
        tf.config.experimental.reset_memory_stats("GPU:0")
    return found


# Parity.


def families():
    """dict of functions that make a small model, and its inputs, by family."""
    from keras_genai.modalities import Image, Label
    from keras_genai.networks import (
        GPT,
        MODERN,
        RNN,
        DCGANGenerator,
        DenseAutoencoder,
        EncoderDecoder,
        UNet,
    )
    from keras_genai.tasks import VAE, CausalLM, Diffusion, Seq2SeqLM

    tokens = np.random.default_rng(0).integers(0, 31, (4, 16)).astype("int32")
    pictures = np.random.default_rng(0).random((4, 16, 16, 3)).astype("float32")
    pair = {"inputs": tokens, "inputs_mask": np.ones_like(tokens), "targets": tokens}
    noisy = {
        "noisy": pictures,
        "time": np.linspace(0.1, 0.9, 4).astype("float32"),
        "labels": np.arange(4).astype("int32") % 3,
    }
    sizes = dict(vocabulary_size=31, context=32, width=32, num_heads=2)

    def gpt(dtype):
        network = GPT(**sizes, depth=2, style=MODERN, dtype=dtype)
        return CausalLM(network), tokens

    def lstm(dtype):
        network = RNN(
            vocabulary_size=31, embedding_dim=16, units=32, num_layers=2, dtype=dtype
        )
        return CausalLM(network), tokens

    def encoder_decoder(dtype):
        network = EncoderDecoder(**sizes, encoder_depth=1, decoder_depth=1, dtype=dtype)
        return Seq2SeqLM(network), pair

    def unet(dtype):
        network = UNet(width=16, multipliers=(1, 2), blocks=1)
        model = Diffusion(network, Image((16, 16, 3)), Label(3), dtype=dtype)
        return model.exportable(), noisy

    def vae(dtype):
        network = DenseAutoencoder(latent_size=4, hidden=(32,))
        return VAE(network, Image((16, 16, 3)), dtype=dtype), {"images": pictures}

    def dcgan(dtype):
        network = DCGANGenerator(latent=8, width=8, dtype=dtype)
        network.complete(image_shape=(16, 16, 3))
        return network, np.random.default_rng(0).normal(size=(4, 8)).astype("float32")

    made = (gpt, lstm, encoder_decoder, unet, vae, dcgan)
    return {make.__name__: make for make in made}


def parity(options):
    """Whether a GPU says what the CPU says."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    found = {"forward": {}}
    for name, make in families().items():
        for dtype in CLOSE:
            key = f"{name} {dtype}"
            found["forward"][key] = attempt(compare, make, dtype)
    found["draws"] = attempt(draws)
    found["texts"] = attempt(texts)
    return found


def compare(make, dtype):
    """The largest difference between the GPU, in a dtype, and the CPU in float32."""
    keras.utils.set_random_seed(0)
    with tf.device("/CPU:0"):
        model, inputs = make("float32")
        for weight in model.weights:  # some begin as zeros
            if weight.dtype == "float32":
                noise = np.random.default_rng(len(weight.path)).normal(
                    size=weight.shape
                )
                weight.assign(weight + 0.05 * noise)
        wanted = flat(model(inputs))
    other, _ = make(dtype)
    for mine, weight in zip(other.weights, model.weights, strict=True):
        mine.assign(weight.numpy())
    found = flat(other(inputs))
    gap = max(
        float(np.abs(mine - each).max() / max(1.0, np.abs(each).max()))
        for mine, each in zip(found, wanted, strict=True)
    )
    return {"gap": gap, "ok": gap <= CLOSE[dtype]}


def flat(outputs):
    """list of float64 arrays."""
    return [
        keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")).astype("float64")
        for each in keras.tree.flatten(outputs)
    ]


def draws():
    """The library's own draws, which a seed decides everywhere."""
    from keras_genai import draws as own

    seed, steps = tf.constant(own.key(7)), tf.range(1000)
    logits = tf.random.stateless_normal((1000, 97), (1, 2))
    with tf.device("/CPU:0"):
        chances = own.uniform(seed, steps).numpy()
        chosen = own.categorical(logits, tf.constant(chances)).numpy()
    here = own.uniform(seed, steps)
    same = np.mean(own.categorical(logits, here).numpy() == chosen)
    return {"uniform_equal": bool(np.all(here.numpy() == chances)), "same": float(same)}


def texts():
    """Greedy text of a small model, and drawn text, on both devices."""
    from keras_genai.samplers import Greedy, Sample

    found = {}
    for name, sampler in (("greedy", Greedy()), ("drawn", Sample())):
        written = []
        for device in ("/CPU:0", "/GPU:0" if has_gpu() else "/CPU:0"):
            keras.utils.set_random_seed(0)
            with tf.device(device):
                model, _ = families()["gpt"]("float32")
                written.append(model.generate([[1, 2], [3]], 30, sampler, seed=5))
        pairs = zip(*written, strict=True)
        found[name] = all(np.array_equal(first, second) for first, second in pairs)
    return found


# Speed.


def timed_fit(model, data, steps):
    """Seconds a step of `fit`, those in which it compiles apart."""
    model.fit(data.take(WARM), epochs=1, verbose=0, shuffle=False)
    start = time.perf_counter()
    model.fit(data.take(steps), epochs=1, verbose=0, shuffle=False)
    return (time.perf_counter() - start) / steps


def language_model(options, dtype):
    """A `CausalLM` of GPT-2's size, or a small one."""
    from keras_genai.networks import GPT
    from keras_genai.tasks import CausalLM

    sizes = SMALL_SIZES if options.small else GPT2_SIZES
    return CausalLM(GPT(**sizes, dtype=dtype))


def gpt(options):
    """Training steps of GPT-2 124M."""
    found = {}
    for precision in ("float32", "tf32", "bfloat16"):
        for jit_compile in (False, True):
            key = f"{precision} {'xla' if jit_compile else 'graph'}"
            found[key] = attempt(gpt_step, options, precision, jit_compile)
            print(f"gpt {key}: {found[key]}", file=sys.stderr, flush=True)
    return found


def gpt_step(options, precision, jit_compile):
    """Tokens/s, TFLOP/s and memory of one way to train."""
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    dtype = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    model = language_model(options, dtype)
    network = model.network
    length, batch = network.context, min(options.batch, 2 if options.small else 512)
    rows = np.random.default_rng(0).integers(
        0, network.vocabulary_size, (batch, length + 1), dtype="int32"
    )
    data = tf.data.Dataset.from_tensors((rows[:, :-1], rows[:, 1:])).repeat()
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    peak(reset=True)
    seconds = timed_fit(model, data, options.steps)
    tokens = batch * length
    # 6 a weight and token, and attention: Chowdhery et al. 2022, appendix B.
    each = 6 * model.count_params() + 12 * network.depth * network.width * length
    return {
        "parameters": model.count_params(),
        "batch": [batch, length],
        "milliseconds": round(1e3 * seconds, 2),
        "tokens_per_second": round(tokens / seconds),
        "tflops": round(each * tokens / seconds / 1e12, 3),
        "peak_bytes": peak(),
    }


def decoding(options):
    """Tokens/s of texts that are written together."""
    from keras_genai.samplers import Greedy

    new = 16 if options.small else 128
    prompts = {count: np.ones((count, 16), "int32") for count in (1, 8, 32)}

    def measure(dtype, count):
        model = language_model(options, dtype)
        write = functools.partial(model.generate, prompts[count], 16 + new, Greedy())
        write()
        start = time.perf_counter()
        write()
        seconds = time.perf_counter() - start
        return {"tokens_per_second": round(count * new / seconds, 1)}

    return {
        f"{dtype} {count}": attempt(measure, dtype, count)
        for dtype in CLOSE
        for count in ((1, 8) if options.small else (1, 8, 32))
    }


def pictures(options):
    """Milliseconds a step of the U-Net and the DCGAN of the other benchmarks."""
    from keras_genai.modalities import Image
    from keras_genai.networks import DCGANDiscriminator, DCGANGenerator, UNet
    from keras_genai.tasks import GAN, Diffusion

    side, batch = (16, 4) if options.small else (32, 64)
    width = 8 if options.small else 48
    image = Image((side, side, 3))
    rows = np.random.default_rng(0).random((batch, side, side, 3), dtype="float32")
    data = tf.data.Dataset.from_tensors({"images": rows}).repeat()
    adam = functools.partial(keras.optimizers.Adam, 2e-4, 0.5)

    def unet(dtype, jit_compile):
        sizes = dict(multipliers=(1, 2, 2), blocks=2, attention_at=(2,))
        if options.small:
            sizes = dict(multipliers=(1,), blocks=1)
        model = Diffusion(UNet(width=width, **sizes), image, dtype=dtype)
        model.compile(optimizer=keras.optimizers.AdamW(1e-4), jit_compile=jit_compile)
        return model

    def dcgan(dtype, jit_compile):
        networks = (
            DCGANGenerator(latent=64, width=width),
            DCGANDiscriminator(width=width),
        )
        model = GAN(*networks, image, dtype=dtype)
        model.compile(
            generator_optimizer=adam(),
            discriminator_optimizer=adam(),
            jit_compile=jit_compile,
        )
        return model

    def measure(make, dtype, jit_compile):
        seconds = timed_fit(make(dtype, jit_compile), data, options.steps)
        return {"milliseconds": round(1e3 * seconds, 2)}

    return {
        f"{make.__name__} {dtype} {'xla' if jit else 'graph'}": attempt(
            measure, make, dtype, jit
        )
        for make in (unet, dcgan)
        for dtype in CLOSE
        for jit in (False, True)
    }


def lstm(options):
    """Milliseconds a step of an LSTM: Keras' own, which is cuDNN's, and ours."""
    from keras_genai.networks import RNN
    from keras_genai.tasks import CausalLM

    width, batch, length = (32, 4, 16) if options.small else (512, 64, 128)
    size = 513
    rows = np.random.default_rng(0).integers(0, size, (batch, length + 1), "int32")
    data = tf.data.Dataset.from_tensors((rows[:, :-1], rows[:, 1:])).repeat()

    def ours():
        network = RNN(
            vocabulary_size=size, embedding_dim=width, units=width, num_layers=2
        )
        return CausalLM(network), True

    def stock():
        layer = functools.partial(keras.layers.LSTM, width, return_sequences=True)
        layers = [keras.layers.Embedding(size, width), layer(), layer()]
        return keras.Sequential([*layers, keras.layers.Dense(size)]), False

    def measure(make):
        model, jit_compile = make()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer="adam", loss=loss, jit_compile=jit_compile)
        seconds = timed_fit(model, data, options.steps)
        return {"milliseconds": round(1e3 * seconds, 2)}

    return {make.__name__: attempt(measure, make) for make in (ours, stock)}


# Reliability.


def resume(options):
    """Whether runs of one seed agree bit for bit, one of them stopped and gone on."""
    whole, again, halves = (trained(plan) for plan in ((8,), (8,), (4, 8)))
    return {
        "same_seed_equal": all(map(np.array_equal, whole, again)),
        "resumed_equal": all(map(np.array_equal, whole, halves)),
    }


def trained(plan):
    """list of arrays: the weights after a run that ends at each step of `plan`."""
    from keras_genai import training
    from keras_genai.data import text
    from keras_genai.modalities import Text
    from keras_genai.networks import GPT
    from keras_genai.tasks import CausalLM

    with tempfile.TemporaryDirectory() as folder:
        for steps in plan:
            training.deterministic(seed=0)
            splits = text.python_docs(batch_size=4, length=16, stand_in=True)
            network = GPT(context=16, depth=2, width=32, num_heads=2)
            model = CausalLM(network, Text(splits.tokenizer))
            model.compile(keras.optimizers.AdamW(1e-3))
            model.optimizer.build(model.trainable_variables)
            training.train(model, splits, folder, steps=steps, log_every=2)
        return [weight.numpy() for weight in model.weights]


PARTS = {
    "parity": parity,
    "gpt": gpt,
    "decoding": decoding,
    "pictures": pictures,
    "lstm": lstm,
    "resume": resume,  # last: it makes TensorFlow deterministic for good
}

if __name__ == "__main__":
    main()
