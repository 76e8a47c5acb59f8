"""Training step of Keras.io's convolutional VAE: ours through `fit`, PyTorch eager.

Run:  python -m pip install -e ".[bench]" && python benchmarks/vae_step.py

28x28x1 pictures, convolutions of 32 and 64 with stride 2, dense 16, 2 latents and
the way back; batch 128, Adam, float32: forward, backward and update.
"""

import alternate
import fitting

BATCH, SIDE, LATENTS = 128, 28, 2
STEPS_PER_EXECUTION = 10


def batches(steps):
    import numpy as np

    shape = (steps * BATCH, SIDE, SIDE, 1)
    return np.random.default_rng(0).random(shape, dtype="float32")


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.modalities.image import Image
    from keras_genai.networks.vae import ConvolutionalAutoencoder
    from keras_genai.tasks.variational import VAE

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    network = ConvolutionalAutoencoder(latent_size=LATENTS)
    model = VAE(network, Image((SIDE, SIDE, 1)))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        jit_compile=False,
        steps_per_execution=min(STEPS_PER_EXECUTION, options.steps),
    )
    return fitting.rounds(model, {"images": batches(options.steps)}, BATCH)


def torch_eager(options):
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(options.threads)

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 32, 3, 2, 1),
                nn.ReLU(),
                nn.Conv2d(32, 64, 3, 2, 1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(64 * 49, 16),
                nn.ReLU(),
            )
            self.moments = nn.Linear(16, 2 * LATENTS)
            self.decoder = nn.Sequential(
                nn.Linear(LATENTS, 64 * 49),
                nn.ReLU(),
                nn.Unflatten(1, (64, 7, 7)),
                nn.ConvTranspose2d(64, 64, 3, 2, 1, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(64, 32, 3, 2, 1, 1),
                nn.ReLU(),
                nn.ConvTranspose2d(32, 1, 3, 1, 1),
            )

        def forward(self, images):
            mean, log_variance = self.moments(self.encoder(images)).chunk(2, 1)
            noise = torch.randn_like(mean)
            logits = self.decoder(mean + torch.exp(0.5 * log_variance) * noise)
            divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
            error = functional.binary_cross_entropy_with_logits(
                logits, images, reduction="none"
            )
            return (error.sum((1, 2, 3)) + divergence.sum(1)).mean()

    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    images = torch.from_numpy(batches(options.steps)).permute(0, 3, 1, 2).contiguous()

    def run():
        for batch in images.split(BATCH):
            loss = model(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    results = alternate.main({"ours": ours, "torch_eager": torch_eager})
    if results and len(results) == 3:
        alternate.print_ratio(results, "ours", "torch_eager", 0.9)
