# %% [markdown]
# # First text: a GPT from scratch
#
# A small GPT learns the Python documentation, character by character. It takes a few
# minutes on two cores; the text comes with Python.

# %%
from keras_genai import from_preset
from keras_genai.data import text
from keras_genai.evaluation.language import score_text
from keras_genai.modalities import Text
from keras_genai.networks import GPT, NGram, Style
from keras_genai.optimizers import adamw
from keras_genai.samplers import Beam, RepetitionPenalty, Sample
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks import CausalLM, CountingLM

CONTEXT = 128  # characters
STEPS = 1_500

# %% [markdown]
# ## The data
#
# A source returns `Splits`: loaders that end in `tf.data`, a tokenizer, and the
# held-out text. A batch is a pair of tokens and of what follows each of them.

# %%
splits = text.python_docs(batch_size=8, length=CONTEXT)
tokens, targets = next(iter(splits.train))
print(tokens.shape, repr(splits.tokenizer.decode(tokens[0].numpy())[:60]))

# %% [markdown]
# ## The yardstick
#
# Counting what follows five characters takes a second, and is harder to beat than one
# would think. The score is the mean of `-log p` a character of unseen text, in nats:
# less is better. To save time it is taken on the first part only.

# %%
held_out = splits.held_out[:4_000]
counted = CountingLM(NGram(order=6), Text(splits.tokenizer))
counted.fit_tokens(splits.train.tokens[:100_000])
print("6-gram:", score_text(counted, held_out).nats_per_token)

# %% [markdown]
# ## The model
#
# A network is layers, a task trains it on a kind of sample. A `Style` says what the
# blocks are made of; here rotary positions and RMSNorm, without biases.

# %%
network = GPT(
    context=CONTEXT,
    depth=4,
    width=128,
    num_heads=4,
    style=Style(positions="rotary", norm="rms", use_bias=False),
)
model = CausalLM(network, Text(splits.tokenizer))
model.compile(adamw(warmup_cosine(3e-3, 100, STEPS)), jit_compile=True)
print(f"{model.count_params():,} parameters")

# %%
history = model.fit(splits.train, epochs=5, steps_per_epoch=STEPS // 5)
print("GPT:", score_text(model, held_out).nats_per_token)

# %% [markdown]
# ## What it writes
#
# A sampler decides how the next token follows from the model's predictions. The same
# seed gives the same text.

# %%
print(model.generate("The ", max_length=200, sampler=Sample(0.8, top_p=0.95), seed=0))

# %%
rules = [RepetitionPenalty(1.2)]
print(model.generate("A class ", max_length=100, sampler=Sample(0.5, rules=rules)))
print(model.generate("A class ", max_length=60, sampler=Beam(width=4)))

# %% [markdown]
# ## Keep it
#
# A preset is a folder of plain data. `train.py gpt_python_docs` does all of this, and
# survives being killed.

# %%
model.save_to_preset("my_gpt")
again = from_preset("my_gpt")
print(again.generate("The ", max_length=60, seed=1))
