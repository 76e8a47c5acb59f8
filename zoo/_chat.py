"""Conversations with the zoo's language models."""

import sys

from zoo._opening import locate, open_model


def chat(options):
    """Talks with a trained or published model, until `quit`."""
    if sys.stdin is None:
        raise ValueError("standard input must be open, for what is said to the model")
    place = locate(options.name, options.preset)
    tokens = options.reply_length or 0  # of the first reply; the others wait on nothing
    model = open_model(place, options.name, "chat", options.weights, tokens)
    from keras_genai.samplers import Greedy, Sample
    from keras_genai.serving import Chat, terminal

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
