"""What the language entries of the zoo have in common."""

from keras_genai.data.loading import Windows
from keras_genai.evaluation.language import score_text, score_windows
from keras_genai.samplers import NoRepeatNgram, Sample


def score(model, splits):
    """Nats per character over the whole held-out text, and what follows from it."""
    text = score_text(model, splits.held_out)
    return {
        "nats_per_character": text.nats_per_character,
        "bits_per_character": text.bits_per_character,
        "perplexity_per_token": text.perplexity,
    }


def score_like_nanogpt(model, splits, batches=400):
    """`score`, and the mean loss over random windows as nanoGPT estimates it."""
    held_out = Windows(
        splits.held_out, model.context, splits.train.batch_size, seed=1337
    )
    windows = held_out.dataset().take(batches)
    return {
        **score(model, splits),
        "nanogpt_estimate": score_windows(model, windows),
    }


def write(model, seed, prompt, length=400):
    """Text that continues `prompt`, at a temperature that reads well.

    A model of other data may not know the prompt's characters; it begins by itself.
    """
    try:
        model.tokenizer.encode(prompt)
    except ValueError:
        prompt = ""
    # Nothing is said twice at such length but by a model that is stuck, in a ruler
    # of equals signs for instance.
    sampler = Sample(temperature=0.8, top_p=0.95, rules=[NoRepeatNgram(24)])
    return model.generate(prompt, max_length=length, sampler=sampler, seed=seed)


def score_windows_of_test(model, splits):
    """Nats per character of test and validation text, full n-gram windows only."""
    skipped = model.network.order - 1

    def score(tokens):
        return -float(model.network.log_probabilities(tokens)[skipped:].mean())

    return {
        "test_nats_per_character": score(splits.test),
        "validation_nats_per_character": score(splits.held_out),
    }
