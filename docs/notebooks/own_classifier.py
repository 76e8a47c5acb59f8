# %% [markdown]
# # A classifier of your own: pre-train, then fine-tune
#
# A small BERT first learns to fill gaps in plain text, which needs no labels. Then it
# learns to tell two kinds of sentences apart from a few examples: whole, and with a
# low-rank adapter. With a published BERT, replace the first half by
# `from_preset("google-bert/bert-base-uncased", task="SequenceClassifier",
# target=Label(...))`.

# %%
import numpy as np

from keras_genai import from_preset
from keras_genai.data import masking
from keras_genai.layers import adapters
from keras_genai.modalities import Label, Text
from keras_genai.networks import BERT
from keras_genai.optimizers import adamw
from keras_genai.tasks import MaskedLM, SequenceClassifier
from keras_genai.tasks.freezing import trained_parameters

LENGTH = 64  # tokens

# %% [markdown]
# ## Gaps in plain text
#
# The data hides other tokens every time it is read.

# %%
splits = masking.python_docs(batch_size=16, length=LENGTH, tokenizer="wordpiece:2000")
text = Text(splits.tokenizer)
encoder = BERT(context=LENGTH, depth=2, width=64, num_heads=4)
gaps = MaskedLM(encoder, text)
gaps.compile(adamw(1e-3), jit_compile=True)
history = gaps.fit(splits.train, epochs=1, steps_per_epoch=500)

# %%
for guess in gaps.fill("a [MASK] of the list", count=3)[0]:
    print(guess.token, round(guess.probability, 3))

# %% [markdown]
# ## Sentences with labels
#
# Here: does a sentence speak of classes or of files? A real task has sentences of
# people.

# %%
kinds = {
    "class": ("class", "method", "instance", "attribute", "base"),
    "file": ("file", "line", "text", "source", "encoding"),
}
frames = ("the {} is defined here", "this {} has a name", "see the {} below")
frames += ("an {} that is not found", "every {} must be given", "one {} at a time")
texts = [f.format(word) for words in kinds.values() for word in words for f in frames]
labels = np.repeat(np.arange(2), len(texts) // 2)
order = np.random.default_rng(0).permutation(len(texts))
texts, labels = [texts[place] for place in order], labels[order]
train, test = slice(0, 48), slice(48, None)

# %%
model = SequenceClassifier(encoder, Label(2, tuple(kinds)), given=text, pooling="mean")
model.compile(adamw(1e-3), metrics=["accuracy"])
known = model.loader(texts[train], labels[train], batch_size=16)
history = model.fit(known, epochs=20, verbose=0)
loss, accuracy = model.evaluate(model.batch(texts[test]), labels[test], verbose=0)
print(f"whole weights: {accuracy:.2f} of the unseen sentences")
print(model.classify("the method is defined here"))

# %% [markdown]
# ## With an adapter
#
# Small matrices beside the large ones are trained, and the large ones stay as they
# are. The adapter is a small file of its own.

# %%
adapters.add(model, ("query", "memory"), rank=4, whole=("classifier",))
print(f"{trained_parameters(model):,} of {model.count_params():,} weights are trained")
model.compile(adamw(1e-3), metrics=["accuracy"])
history = model.fit(known, epochs=5, verbose=0)
adapters.save(model, "my_adapter")

# %%
adapters.merge(model)  # into the weights: as fast as before
model.save_to_preset("my_classifier")
print(from_preset("my_classifier").classify(["one line at a time", "every base class"]))
