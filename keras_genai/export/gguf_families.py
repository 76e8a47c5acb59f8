"""What llama.cpp is told of each family that it has a graph for, and in which layout.

Reference: the keys and tensors as llama.cpp's own converter writes them,
https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py
"""

import math

import numpy as np

from keras_genai.export.comparing import ExportError

SLIDING = "sliding_attention"
POOLINGS = {"mean": "MEAN", "cls": "CLS", "lasttoken": "LAST"}
GEMMA_PERIODS = {"gemma2": 2, "gemma3": 6}  # of so many blocks, the last one sees all
GEMMA_LARGEST = {"gemma2": 46, "gemma3": 62}  # blocks; they scale otherwise there
ACTIVATIONS = {"llama": "silu", "qwen2": "silu", "qwen3": "silu"}
# Our `model_type` and llama.cpp's name.
ARCHITECTURES = {
    "gpt2": "gpt2",
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3",
    "bert": "bert",
}


def refuse(reason):
    """Raises an `ExportError` of one line."""
    raise ExportError(f"llama.cpp has no graph for this model: {reason}")


def settings(writer, gguf, name, config, model):
    """Says the sizes of a model.

    Args:
        writer: `gguf.GGUFWriter`.
        gguf: the package.
        name: str, of `ARCHITECTURES`.
        config: dict, as config.json has it.
        model: `Task`.
    """
    {"gpt2": _gpt2, "bert": _bert}.get(name, _decoder)(
        writer, gguf, name, config, model
    )


def _gpt2(writer, gguf, name, config, model):
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(config["n_inner"] or 4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def _bert(writer, gguf, name, config, model):
    if config.get("hidden_act", "gelu") != "gelu":
        refuse(f"a BERT's activation must be gelu. Received: {config['hidden_act']}")
    pooling = getattr(model, "pooling", ("none",))
    if getattr(model, "dense", ()) or len(pooling) > 1:
        refuse("it has no layers behind the pooling, and one pooling")
    if pooling != ("none",) and pooling[0] not in POOLINGS:
        refuse(f"`pooling` must be of {', '.join(POOLINGS)}. Received: {pooling[0]}")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType[POOLINGS.get(pooling[0], "NONE")])


def _decoder(writer, gguf, name, config, model):
    wanted = ACTIVATIONS.get(name, "gelu_pytorch_tanh")
    activation = config.get("hidden_activation", config.get("hidden_act"))
    if activation != wanted:
        refuse(f"{name}'s activation must be {wanted}. Received: {activation}")
    size = config["head_dim"]
    writer.add_vocab_size(config["vocab_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(size)
    writer.add_value_length(size)
    if name in GEMMA_PERIODS:
        _gemma(writer, name, config)
    elif SLIDING in (config.get("layer_types") or ()):
        refuse(f"its {name} has no blocks that look back only so far")
    else:
        writer.add_rope_dimension_count(size)
    rotary = _rotary(config)
    writer.add_rope_freq_base(rotary["rope_theta"])
    if rotary["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rotary["factor"])


def _gemma(writer, name, config):
    depth = config["num_hidden_layers"]
    period = GEMMA_PERIODS[name]
    local = [kind == SLIDING for kind in config["layer_types"]]
    if local != [(index + 1) % period > 0 for index in range(depth)]:
        refuse(f"{name} has one block in {period} that looks back to the beginning")
    if (
        depth == GEMMA_LARGEST[name]
        or config["query_pre_attn_scalar"] != (config["head_dim"])
    ):
        refuse(f"{name} scales by the size of a head")
    writer.add_sliding_window(config["sliding_window"])
    for key, add in (
        ("attn_logit_softcapping", writer.add_attn_logit_softcapping),
        ("final_logit_softcapping", writer.add_final_logit_softcapping),
    ):
        if config[key] is not None:
            if name == "gemma3":
                refuse(f"gemma3 has no {key}")
            add(config[key])
        elif name == "gemma2":
            refuse(f"gemma2 has {key}")
    if name == "gemma3":
        near = config["rope_parameters"][SLIDING]
        if near != {"rope_type": "default", "rope_theta": 10_000.0}:
            refuse(f"blocks of gemma3 that look back so far turn by 10000, not {near}")


def _rotary(config):
    """dict: how positions turn."""
    found = config["rope_parameters"]
    found = found.get("full_attention", found)
    if found["rope_type"] not in ("default", "dynamic", "linear", "llama3"):
        refuse(f"rotary positions of kind {found['rope_type']} are not written yet")
    if found.get("partial_rotary_factor", 1) != 1:
        refuse("all of a head must turn")
    return found


def tensors(name, config, arrays, model):
    """Yields names as in a published checkpoint, and arrays in llama.cpp's layout.

    Args:
        name: str, of `ARCHITECTURES`.
        config: dict, as config.json has it.
        arrays: dict of arrays by the names of a published checkpoint.
        model: `Task`.
    """
    heads = config.get("num_attention_heads")
    groups = config.get("num_key_value_heads")
    for key, stored in arrays.items():
        array = stored.astype("float32")
        if name == "bert" and ".pooler." in key:
            continue
        if name == "gpt2" and key.endswith(
            ("c_attn.weight", "c_proj.weight", "c_fc.weight")
        ):
            array = array.T
        if name == "llama" and ".q_proj." in key:
            array = _pairs(array, heads)
        if name == "llama" and ".k_proj." in key:
            array = _pairs(array, groups)
        if name in GEMMA_PERIODS and key.endswith("norm.weight"):
            array = array + 1
        yield key.removeprefix("bert."), np.ascontiguousarray(array)
    if name == "bert" and model.network.num_segments is None:
        kinds = np.zeros((1, config["hidden_size"]), "float32")
        yield "embeddings.token_type_embeddings.weight", kinds


def further(name, config):
    """dict of arrays that only llama.cpp has, by its names."""
    if name in ("gpt2", "bert"):
        return {}
    rotary = _rotary(config)
    if rotary["rope_type"] != "llama3":
        return {}
    return {"rope_freqs.weight": _divisors(rotary, config["head_dim"])}


def _pairs(array, heads):
    """Rows of a head whose halves turn together, so that neighbours do."""
    shape = (heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return array.reshape(shape).swapaxes(1, 2).reshape(array.shape)


def _divisors(rotary, size):
    """float32 `(size / 2,)`: by what Llama 3 divides each frequency.

    Reference: Grattafiori et al. 2024, section 3.4.2, as in transformers.
    """
    factor, before = rotary["factor"], rotary["original_max_position_embeddings"]
    low, high = rotary["low_freq_factor"], rotary["high_freq_factor"]
    found = []
    for index in range(0, size, 2):
        length = 2 * math.pi * rotary["rope_theta"] ** (index / size)
        share = (before / length - low) / (high - low)
        share = min(1.0, max(0.0, share))
        found.append(1 / ((1 - share) / factor + share))
    return np.array(found, "float32")
