"""Stored tensors that are no weights: what a model computes for itself.

Releases of transformers differ in which of these they wrote into a file; none of them
changes what a model says. One list for all families, because a module with such a
buffer is often shared by several.
"""

# How the names end, whatever stands before them.
BUFFERS = (
    "position_ids",  # BERT of 3.1 to 4.30: 0, 1, 2, ...
    "token_type_ids",  # BERT of 4.6 to 4.10: zeros
    "attn.bias",  # GPT-2 before 4.32: the causal triangle
    "attn.masked_bias",  # and what hides the rest of a row
    "attention.bias",  # the same two in GPT-Neo and GPT-NeoX
    "attention.masked_bias",
    "crossattention.bias",  # GPT-2 with a memory
    "crossattention.masked_bias",
    "causal_mask",
    "inv_freq",  # rotary positions before 4.32
    "original_inv_freq",
    "cos_cached",
    "sin_cached",
    "encoder.version",  # fairseq's, in converted BART
    "decoder.version",
    "embed_positions.weights",  # its sinusoidal tables
    "_float_tensor",
    # T5 before 3.1: cross-attention has no relative positions.
    "EncDecAttention.relative_attention_bias.weight",
    "num_batches_tracked",
    "total_ops",  # left behind by profilers
    "total_params",
)
_ENDS = tuple(f".{end}" for end in BUFFERS)


def is_buffer(name):
    """Whether the tensor of this name, in no rule, can be left unread."""
    return name.endswith(_ENDS) or name in BUFFERS
