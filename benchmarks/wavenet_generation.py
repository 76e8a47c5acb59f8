"""Sounds sample by sample, WaveNet of 20 layers: ours, PyTorch with queues, and naive.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/wavenet_generation.py --steps 4000
      python benchmarks/wavenet_generation.py --steps 4000 --batch 32

One `step` is one sample of every row. Ours is the compiled loop; `torch` keeps the
inputs of each layer in a tensor and runs its steps in Python; `naive` runs our whole
network over the receptive field for each sample, as is done without rings, for 8
samples a round.
"""

import argparse

import alternate
from wavenet_step import DILATIONS, GATE, LEVELS, RESIDUAL, SKIP, torch_network

RATE = 8_000
NAIVE = 8  # samples a round, of which one takes as long as a whole receptive field


def model_of(options):
    import tensorflow as tf

    from keras_genai.modalities import Audio
    from keras_genai.networks import WaveNet
    from keras_genai.tasks import WaveformModel

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    network = WaveNet(dilations=DILATIONS, residual=RESIDUAL, gate=GATE, skip=SKIP)
    return WaveformModel(network, Audio(RATE))


def ours(options):
    model = model_of(options)

    def run():
        model.generate(options.batch, options.steps / RATE)

    run()
    return run


def naive(options):
    import time

    import tensorflow as tf

    model = model_of(options)
    field = model.network.receptive_field
    function = tf.function(model.network)

    def run():
        codes = tf.fill([options.batch, field], LEVELS // 2)
        start = time.perf_counter()
        for _ in range(NAIVE):
            logits = function(codes)[:, -1]
            drawn = tf.random.categorical(logits, 1, dtype="int32")
            codes = tf.concat([codes[:, 1:], drawn], axis=1)
        seconds = (time.perf_counter() - start) / NAIVE
        return {"seconds": seconds * options.steps}

    run()
    return run


def torch_queues(options):
    import torch

    torch.set_num_threads(options.threads)
    model = torch_network().eval()

    @torch.inference_mode()
    def run():
        rings = [torch.zeros(d, options.batch, RESIDUAL) for d in DILATIONS]
        codes = torch.full((options.batch,), LEVELS // 2)
        for time in range(options.steps):
            x, total = model.codes(codes), 0
            for block, ring in zip(model.blocks, rings, strict=True):
                slot = time % len(ring)
                kernel = block.convolution.weight  # (GATE, RESIDUAL, 2)
                found = ring[slot] @ kernel[:, :, 0].T + x @ kernel[:, :, 1].T
                ring[slot] = x
                said, opened = (found + block.convolution.bias).chunk(2, dim=1)
                gated = torch.tanh(said) * torch.sigmoid(opened)
                both = gated @ block.output.weight[:, :, 0].T + block.output.bias
                x, total = x + both[:, :RESIDUAL], total + both[:, RESIDUAL:]
            total = torch.relu(total / len(DILATIONS) ** 0.5)[:, :, None]
            logits = model.second(torch.relu(model.first(total)))[:, :, 0]
            codes = torch.distributions.Categorical(logits=logits).sample()

    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.set_defaults(steps=4_000, rounds=5)
    parser.add_argument("--batch", type=int, default=1)
    sides = {"ours": ours, "torch": torch_queues, "naive": naive}
    results = alternate.main(sides, parser, unit="sample", scale=1e6, label="us")
    if results and len(results) == 4:
        alternate.print_ratio(results, "ours", "torch", 0.2)
        alternate.print_ratio(results, "ours", "naive", 0.01)
        options = results["options"]
        seconds = alternate.median(results, "ours")
        print(f"real time factor: {seconds / (options['steps'] / RATE):.2f}")
