"""Training step of an LSTM language model: ours, torch.nn.LSTM, keras.layers.LSTM.

Run:  python -m pip install -e ".[bench]" && python benchmarks/lstm_step.py

Embedding 512 -> 2 LSTM layers of 512 -> dense to 65 tokens, batch 32 x 64, Adam,
cross-entropy, float32: forward, backward and update. Ours and stock Keras run through
`fit`, its overhead included.

Ours does less work, not only faster work: 65 tokens are fewer than the 2,048 places of
a batch, so RNN multiplies the embedding table, not the batch, by layer 0's kernel.
`--vocabulary 513` is beyond that rule: all sides do the same multiplications.
"""

import argparse

import alternate

WIDTH, LAYERS = 512, 2
BATCH, LENGTH = 32, 64
STEPS_PER_EXECUTION = 10


def batches(options):
    import numpy as np

    tokens = np.random.default_rng(0).integers(
        0, options.vocabulary, (options.steps * BATCH, LENGTH + 1), dtype=np.int32
    )
    return tokens[:, :-1], tokens[:, 1:]


def fit_round(model, options, jit_compile, steps_per_execution):
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = model(options)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
        steps_per_execution=min(steps_per_execution, options.steps),
    )
    data = tf.data.Dataset.from_tensor_slices(batches(options))
    data = data.batch(BATCH, drop_remainder=True).cache().prefetch(2)

    def run():
        model.fit(data, epochs=1, verbose=0, shuffle=False)

    run()
    return run


def ours(options):
    from keras_genai.networks.rnn import RNN
    from keras_genai.tasks.language import CausalLM

    sizes = dict(embedding_dim=WIDTH, units=WIDTH, num_layers=LAYERS)
    return fit_round(
        lambda options: CausalLM(RNN(vocabulary_size=options.vocabulary, **sizes)),
        options,
        jit_compile=True,
        steps_per_execution=STEPS_PER_EXECUTION,
    )


def stock(options):
    import keras

    layers = [
        keras.layers.LSTM(WIDTH, return_sequences=True, name=f"layer_{index}")
        for index in range(LAYERS)
    ]
    return keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            keras.layers.Embedding(options.vocabulary, WIDTH),
            *layers,
            keras.layers.Dense(options.vocabulary),
        ]
    )


def keras_graph(options):
    return fit_round(stock, options, False, STEPS_PER_EXECUTION)


def keras_xla(options):
    return fit_round(stock, options, True, STEPS_PER_EXECUTION)


def torch_lstm(options):
    import torch

    torch.set_num_threads(options.threads)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(options.vocabulary, WIDTH)
            self.lstm = torch.nn.LSTM(WIDTH, WIDTH, LAYERS, batch_first=True)
            self.head = torch.nn.Linear(WIDTH, options.vocabulary)

        def forward(self, tokens):
            return self.head(self.lstm(self.embedding(tokens))[0])

    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    tokens, targets = (torch.from_numpy(part).long() for part in batches(options))

    def run():
        for start in range(0, len(tokens), BATCH):
            logits = model(tokens[start : start + BATCH])
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets[start : start + BATCH].flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--vocabulary", type=int, default=65)
    results = alternate.main(
        {
            "ours": ours,
            "torch": torch_lstm,
            "keras_graph": keras_graph,
            "keras_xla": keras_xla,
        },
        parser,
    )
    if results:
        names = results["options"]["sides"].split(",")
        peers = [("torch", 1.0), ("keras_graph", 0.5), ("keras_xla", 0.5)]
        for peer, target in peers:
            if "ours" in names and peer in names:
                alternate.print_ratio(results, "ours", peer, target)
