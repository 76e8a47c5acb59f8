"""Log-mel spectrograms of 32 s at 8 kHz: ours, TensorFlow's STFT, and torchaudio's.

Run:  python -m pip install -e ".[bench]" torchaudio
      python benchmarks/log_mel.py --steps 20
      python benchmarks/log_mel.py --steps 20 --sides ours,ours_xla,tf_signal

Windows of 256, a hop of 80, 40 bands, power, natural logarithm; one step is one sound.
"""

import alternate

RATE, WINDOW, HOP, BANDS, SECONDS = 8_000, 256, 80, 40, 32


def wave():
    import numpy as np

    return np.random.default_rng(0).normal(0, 0.1, (1, SECONDS * RATE)).astype("f4")


def repeated(function, options):
    """Function that calls another one `options.steps` times, once called already."""

    def run():
        for _ in range(options.steps):
            function()

    run()
    return run


def log_mel(options):
    import tensorflow as tf

    from keras_genai.layers import LogMel

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    return LogMel(RATE, WINDOW, HOP, BANDS)


def ours(options):
    import tensorflow as tf

    mel, waves = log_mel(options), tf.constant(wave())
    function = tf.function(mel, jit_compile=options.side == "ours_xla")
    return repeated(lambda: function(waves).numpy(), options)


def tf_signal(options):
    import tensorflow as tf

    mel, waves = log_mel(options), tf.constant(wave())
    filters = tf.constant(mel.filters())

    @tf.function
    def function(waves):
        half = WINDOW // 2
        padded = tf.pad(waves, [[0, 0], [half, half]], "REFLECT")
        power = tf.square(tf.abs(tf.signal.stft(padded, WINDOW, HOP)))
        return tf.math.log(tf.maximum(power @ filters, mel.floor))

    return repeated(lambda: function(waves).numpy(), options)


def torchaudio(options):
    import torch
    from torchaudio.transforms import MelSpectrogram

    torch.set_num_threads(options.threads)
    waves = torch.from_numpy(wave())
    mel = MelSpectrogram(
        *(RATE, WINDOW, WINDOW, HOP),
        n_mels=BANDS,
        mel_scale="slaney",
        norm="slaney",
    )

    @torch.inference_mode()
    def function():
        return mel(waves).clamp(min=1e-10).log()

    return repeated(function, options)


if __name__ == "__main__":
    sides = {
        **{"ours": ours, "ours_xla": ours},
        **{"tf_signal": tf_signal, "torchaudio": torchaudio},
    }
    results = alternate.main(sides, unit="sound")
    if results:
        for peer in ("tf_signal", "torchaudio"):
            if {"ours", peer} <= results.keys():
                alternate.print_ratio(results, "ours", peer, 1.0)
