"""Counting and scoring: an n-gram model of a million words, seconds and memory.

Run:    python benchmarks/ngram.py
Target: order 5 on a million words trains and scores in well under a minute and
        under 2 GB.

Words are drawn independently from Zipf's law, so that hardly any long n-gram comes
twice: for tables of n-grams the worst text there is.
"""

import argparse
import time

import alternate
import numpy as np

from keras_genai.networks.ngram import NGram
from keras_genai.tasks.counting import CountingLM


def zipf_words(count, vocabulary_size, seed=0):
    """Word numbers, the r-th most frequent of them with probability ~ 1 / r."""
    frequency = 1.0 / np.arange(1, vocabulary_size + 1)
    bounds = np.cumsum(frequency / frequency.sum())
    draws = np.random.default_rng(seed).random(count)
    words = np.searchsorted(bounds, draws)
    return np.minimum(words, vocabulary_size - 1).astype("int32")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--vocabulary-size", type=int, default=50_000)
    parser.add_argument("--order", type=int, default=5)
    options = parser.parse_args()

    words = zipf_words(options.words, options.vocabulary_size)
    unseen = zipf_words(options.words, options.vocabulary_size, seed=1)
    network = NGram(vocabulary_size=options.vocabulary_size, order=options.order)
    model = CountingLM(network)
    before = alternate.peak_mib()

    start = time.perf_counter()
    loss = model.fit_tokens(words).history["loss"][0]
    trained = time.perf_counter()
    unseen_loss = -network.log_probabilities(unseen).mean()
    scored = time.perf_counter()

    print(f"order {options.order}, {options.words:,} words, {np.unique(words).size:,}")
    print(f"different ones, {model.count_params():,} n-grams kept")
    print(f"train and score the training text  {trained - start:6.2f} s  {loss:.4f}")
    print(f"score {options.words:,} unseen words    {scored - trained:6.2f} s", end="")
    print(f"  {unseen_loss:.4f} nats per word")
    print(f"peak memory {alternate.peak_mib():.0f} MiB, {before:.0f} before training")


if __name__ == "__main__":
    main()
