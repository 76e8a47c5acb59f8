"""What the benchmarks beside TRL share: one checkpoint, one set of words, one peer.

Both sides open the same GPT-2 of random weights, without dropout, and the same
vocabulary of words, one token each. Texts are words drawn at random, all of one length,
so that both sides read and write the same number of tokens and nothing is padded.
"""

import argparse
import pathlib

import alternate
import fitting

# The sizes: a GPT-2, what is read and written, and how many rows a step has.
SHAPES = {
    "0.8m": dict(
        model=dict(vocab_size=65, n_embd=128, n_layer=4, n_head=4, n_positions=64),
        prompt=16,
        completion=32,
        completions=256,
        rows=64,
        pairs=32,
    ),
    "10m": dict(
        model=dict(vocab_size=4096, n_embd=320, n_layer=8, n_head=5, n_positions=96),
        prompt=32,
        completion=64,
        completions=128,
        rows=32,
        pairs=16,
    ),
    "124m": dict(
        model=dict(vocab_size=50257),
        prompt=64,
        completion=64,
        completions=8,
        rows=8,
        pairs=4,
    ),
}
GROUP = 8  # completions of each prompt
RATE = 1e-6
WORDS = "words.json"
END = "<end>"  # a word that no model has, so that none ends a text


def parser():
    """The options that all of these benchmarks have."""
    found = argparse.ArgumentParser()
    found.add_argument("--shape", choices=SHAPES, default="0.8m")
    return found


def write(folder, options):
    """Fills a folder with the checkpoint and the vocabulary."""
    import tokenizers
    import transformers

    sizes = SHAPES[options.shape]["model"]
    config = transformers.GPT2Config(
        **sizes,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=None,
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    words = {word(index): index for index in range(config.vocab_size)}
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token=word(0)))
    core.pre_tokenizer = tokenizers.pre_tokenizers.Split(" ", "merged_with_next")
    core.decoder = tokenizers.decoders.Fuse()
    core.save(str(pathlib.Path(folder) / WORDS))


def word(index):
    """The word of a token; its blank is a part of it."""
    return f" {index}"


def last_word(options):
    """str: the word that ends a text which is learned."""
    return word(SHAPES[options.shape]["model"]["vocab_size"] - 1)


def texts(options, count, length, seed=0):
    """list of str, of so many words each, neither the first nor the last one."""
    import numpy as np

    size = SHAPES[options.shape]["model"]["vocab_size"] - 1
    found = np.random.default_rng(seed).integers(1, size, (count, length))
    return ["".join(map(word, row)) for row in found]


def reward(prompts, completions, **_):
    """How often a text has the figure 7: something that costs next to nothing."""
    return [text.count("7") / len(text) for text in completions]


def our_policy(options, end=None):
    """Our `CausalLM` of the checkpoint, with its words and that which ends a text."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)

    import keras_genai
    from keras_genai.data.tokenizers import Tokenizer

    path = pathlib.Path(options.folder) / WORDS
    core = Tokenizer.from_json(path.read_text("utf-8")).core
    policy = keras_genai.from_preset(options.folder)
    policy.tokenizer = Tokenizer(core, word(0), None, end)
    return policy


def repeated(loader, steps):
    """The batches of a loader as `tf.data`, so many, which a round goes through."""
    import itertools

    import tensorflow as tf

    parts = list(itertools.islice(loader.dataset().as_numpy_iterator(), steps))
    return fitting.quiet(tf.data.Dataset.from_tensor_slices(stacked(parts)))


def stacked(parts):
    import keras
    import numpy as np

    return keras.tree.map_structure(lambda *each: np.stack(each), *parts)


def peer(options, end):
    """transformers' model and tokenizer of the same checkpoint."""
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    model = transformers.GPT2LMHeadModel.from_pretrained(options.folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(pathlib.Path(options.folder) / WORDS),
        eos_token=end,
        pad_token=word(0),
        clean_up_tokenization_spaces=False,
    )
    return model, tokenizer


def settings(options, **more):
    """Arguments of TRL's configurations: float32 on the CPU, and nothing beside."""
    return dict(
        output_dir=str(pathlib.Path(options.folder) / "trl"),
        max_steps=options.steps,
        learning_rate=RATE,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        **more,
    )


def learner(options, trainer, config, rows, size, **more):
    """A round of one of TRL's trainers on rows of texts.

    Args:
        options: of the command line.
        trainer, config: classes of TRL.
        rows: list of dict.
        size: int, rows of a step.
        **more: of `config`.
    """
    import datasets

    model, tokenizer = peer(options, last_word(options))
    shape = SHAPES[options.shape]
    more["max_length"] = shape["prompt"] + shape["completion"]
    return timed(
        trainer(
            model=model,
            args=config(**settings(options, per_device_train_batch_size=size, **more)),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
        )
    )


def timed(trainer):
    """A function that trains a round, and times it from its first step to its last."""
    import time

    import transformers

    class Clock(transformers.TrainerCallback):
        def on_train_begin(self, *args, **kwargs):
            self.begin = time.perf_counter()

        def on_train_end(self, *args, **kwargs):
            self.seconds = time.perf_counter() - self.begin

    clock = Clock()
    trainer.add_callback(clock)

    def run():
        found = trainer.train()  # PPO's gives nothing back
        return {"seconds": clock.seconds, "loss": getattr(found, "training_loss", None)}

    run()
    return run


def last_loss(history):
    """dict: the mean loss of a round of ours, beside the peer's."""
    return {"loss": float(history.history["loss"][-1])}


def report(results, target):
    """Prints the ratio to TRL, and the losses of the first round."""
    if not results or len(results) != 3:
        return
    alternate.print_ratio(results, "ours", "trl", target)
    losses = {name: results[name][0].get("loss") for name in ("ours", "trl")}
    print("losses of the first round:", losses)
