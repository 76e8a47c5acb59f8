"""Conversations with the zoo's language models."""

import pathlib

import zoo
from zoo._quiet import start_tensorflow


def chat(options):
    """Talks with a trained or published model, until `quit`."""
    zoo.describe(options.name)  # an unknown name ends here, with the nearest
    start_tensorflow()
    from keras_genai import from_preset
    from keras_genai.samplers import Greedy, Sample
    from keras_genai.serving import Chat, terminal

    model = from_preset(_folder(options))
    if not hasattr(model, "turns"):
        raise ValueError(f"`name` must be a language model. Received: {options.name}")
    sampler = None
    if options.temperature is not None:
        sampler = Sample(options.temperature) if options.temperature else Greedy()
    terminal.talk(
        Chat(
            model,
            reply_length=options.reply_length,
            sampler=sampler,
            seed=options.seed,
        )
    )


def _folder(options):
    """The preset that was asked for or trained, or the published checkpoint's name."""
    folder = pathlib.Path(options.preset or f"runs/{options.name}/preset")
    if folder.is_dir():
        return folder
    hub = zoo.get(options.name).hub
    if options.preset or not hub:
        raise ValueError(
            f"There is no preset in {folder}. Train one first: "
            f"python train.py {options.name}"
        )
    return hub
