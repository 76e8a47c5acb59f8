"""U-Net of about 4M parameters, 32x32x3: ours, and diffusers' UNet2DModel.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/unet_step.py --steps 5
      python benchmarks/unet_step.py --steps 5 --precision mixed_bfloat16
      python benchmarks/unet_step.py --steps 10 --job sample --batch 16

48, 96 and 96 channels, two residual blocks a level, attention at 8x8. A training step
is batch 32, noise prediction, AdamW; ours through `fit`. A sampling step is one of
DDIM's for a batch, ours in the compiled loop. `torch_bfloat16` is autocast.
"""

import argparse
import contextlib

import alternate
import fitting

SIDE, WIDTH = 32, 48


def batches(options):
    import numpy as np

    shape = (options.steps * options.batch, SIDE, SIDE, 3)
    return np.random.default_rng(0).random(shape, dtype="float32")


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.modalities import Image
    from keras_genai.networks import UNet
    from keras_genai.samplers.diffusion import DDIM
    from keras_genai.tasks import Diffusion

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    network = UNet(width=WIDTH, multipliers=(1, 2, 2), blocks=2, attention_at=(2,))
    model = Diffusion(network, Image((SIDE, SIDE, 3)), dtype=options.precision)
    if options.job == "sample":

        def draw():
            model.generate(options.batch, steps=options.steps, sampler=DDIM())

        draw()
        return draw
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-4),
        jit_compile=False,
        steps_per_execution=min(5, options.steps),
    )
    return fitting.rounds(model, {"images": batches(options)}, options.batch)


def torch_eager(options):
    import torch
    from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

    torch.set_num_threads(options.threads)
    model = UNet2DModel(
        sample_size=SIDE,
        layers_per_block=2,
        block_out_channels=(WIDTH, 2 * WIDTH, 2 * WIDTH),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=12,
        resnet_time_scale_shift="scale_shift",
    )
    autocast = contextlib.nullcontext()
    if options.side == "torch_bfloat16":
        autocast = torch.autocast("cpu", torch.bfloat16)
    if options.job == "sample":
        sampler = DDIMScheduler()

        @torch.inference_mode()
        def draw():
            sampler.set_timesteps(options.steps)
            x = torch.randn(options.batch, 3, SIDE, SIDE)
            for time in sampler.timesteps:
                with autocast:
                    noise = model(x, time).sample
                x = sampler.step(noise.float(), time, x).prev_sample

        draw()
        return draw
    schedule = DDPMScheduler()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    images = torch.from_numpy(batches(options)).permute(0, 3, 1, 2).contiguous()

    def run():
        for batch in images.split(options.batch):
            noise = torch.randn_like(batch)
            times = torch.randint(0, 1000, (len(batch),))
            noisy = schedule.add_noise(2 * batch - 1, noise, times)
            with autocast:
                predicted = model(noisy, times).sample
            loss = torch.nn.functional.mse_loss(predicted.float(), noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", default="train", choices=("train", "sample"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "mixed_bfloat16")
    )
    sides = {"ours": ours, "torch_float32": torch_eager, "torch_bfloat16": torch_eager}
    results = alternate.main(sides, parser)
    if results and len(results) == 4:
        precision = results["options"]["precision"]
        aims = {"float32": (0.95, None), "mixed_bfloat16": (0.7, 1.0)}[precision]
        for side, aim in zip(("torch_float32", "torch_bfloat16"), aims, strict=True):
            if aim:
                alternate.print_ratio(results, "ours", side, aim)
