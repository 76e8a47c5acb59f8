"""Writes tests/parity/files/decoder: Llama, Mistral, Qwen, Phi-3, Gemma and tokenizers.

Needs torch and transformers:

    python tests/parity/make_decoder.py           write the reference
    python tests/parity/make_decoder.py check     our folders, read by transformers
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import torch
import transformers
from rewriting import rewritten

FILES = pathlib.Path(__file__).parent / "files/decoder"
CONTEXT = 40
SIZES = dict(
    vocab_size=37,
    hidden_size=12,
    intermediate_size=10,
    num_hidden_layers=2,
    num_attention_heads=3,
    num_key_value_heads=1,
    max_position_embeddings=CONTEXT,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=50.0,
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)
YARN = dict(
    rope_type="yarn",
    rope_theta=50.0,
    factor=4.0,
    original_max_position_embeddings=16,
)
# name: (family, settings, how it is stored)
CASES = {
    "llama2": ("Llama", dict(num_key_value_heads=3, rms_norm_eps=1e-5), {}),
    "llama3": (
        "Llama",
        dict(
            head_dim=8,
            rope_parameters=LLAMA3,
            rms_norm_eps=1e-5,
            eos_token_id=[2, 5, 6],
            tie_word_embeddings=True,
        ),
        dict(max_shard_size="6KB", dtype="bfloat16"),
    ),
    "llama_biased": (
        "Llama",
        dict(
            attention_bias=True,
            mlp_bias=True,
            hidden_act="gelu",
            rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=2.5),
        ),
        dict(generation=False),
    ),
    "llama_yarn": ("Llama", dict(rope_parameters=YARN), {}),
    "llama_dynamic": (
        "Llama",
        dict(rope_parameters=dict(rope_type="dynamic", rope_theta=100.0, factor=2.0)),
        {},
    ),
    "mistral": ("Mistral", dict(sliding_window=5, head_dim=6), {}),
    "mistral_global": ("Mistral", dict(sliding_window=None), {}),
    "qwen2": ("Qwen2", dict(tie_word_embeddings=True), dict(dtype="float16")),
    "qwen2_window": (
        "Qwen2",
        dict(use_sliding_window=True, sliding_window=4, max_window_layers=1),
        {},
    ),
    "qwen3": ("Qwen3", dict(head_dim=6, tie_word_embeddings=True), {}),
    "qwen3_biased": (
        "Qwen3",
        dict(
            attention_bias=True,
            head_dim=4,
            use_sliding_window=True,
            sliding_window=3,
            layer_types=["sliding_attention", "full_attention"],
            rms_norm_eps=1e-3,
        ),
        {},
    ),
    "phi3": ("Phi3", dict(rms_norm_eps=1e-5), {}),
    "phi3_partial": (
        "Phi3",
        dict(
            num_attention_heads=2,
            rope_parameters=dict(
                rope_type="default", rope_theta=100.0, partial_rotary_factor=0.67
            ),
            sliding_window=6,
            tie_word_embeddings=True,
        ),
        {},
    ),
    "gemma2": (
        "Gemma2",
        dict(
            head_dim=6,
            sliding_window=5,
            query_pre_attn_scalar=11,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        ),
        {},
    ),
    "gemma2_biased": (
        "Gemma2",
        dict(
            head_dim=4,
            attention_bias=True,
            hidden_activation="gelu",
            attn_logit_softcapping=None,
            final_logit_softcapping=None,
            layer_types=["full_attention", "full_attention"],
            tie_word_embeddings=False,
        ),
        {},
    ),
    "gemma3": (
        "Gemma3",
        dict(
            head_dim=6,
            num_hidden_layers=3,
            sliding_window=4,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"],
            query_pre_attn_scalar=7,
            rope_parameters={
                "full_attention": dict(rope_type="linear", rope_theta=1e3, factor=8.0),
                "sliding_attention": dict(rope_type="default", rope_theta=20.0),
            },
        ),
        dict(dtype="bfloat16"),
    ),
    "gemma3_plain": ("Gemma3", dict(head_dim=4, sliding_window=4), {}),
}
# What config.json of transformers 4 said instead of `rope_parameters`.
OLD = {
    "llama3": dict(
        rope_theta=50.0,
        rope_scaling={k: v for k, v in LLAMA3.items() if k != "rope_theta"},
        pretraining_tp=1,
        torch_dtype="bfloat16",
        _name_or_path="somewhere",
    ),
    "gemma3": dict(
        rope_theta=1e3,
        rope_local_base_freq=20.0,
        rope_scaling=dict(rope_type="linear", factor=8.0),
        cache_implementation="hybrid",
        sliding_window_pattern=6,
        torch_dtype="bfloat16",
    ),
}


def main():
    if sys.argv[1:] == ["check"]:
        check()
        return
    shutil.rmtree(FILES, ignore_errors=True)
    for name, case in CASES.items():
        write_model(name, *case)
    for name, old in OLD.items():
        write_old(name, old)


def config_class(family):
    return getattr(
        transformers, "Gemma3TextConfig" if family == "Gemma3" else f"{family}Config"
    )


def make(family, settings):
    """A model whose numbers are large enough to tell right from wrong."""
    torch.manual_seed(0)
    config = config_class(family)(**{**SIZES, **settings})
    config._attn_implementation = "eager"  # the others have no caps
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def write_model(name, family, settings, options):
    folder = FILES / name
    dtype = getattr(torch, options.get("dtype", "float32"))
    model = make(family, settings).to(dtype)
    shards = {k: v for k, v in options.items() if k == "max_shard_size"}
    model.save_pretrained(folder, **shards)
    if not options.get("generation", True):
        (folder / "generation_config.json").unlink()
    # The options that its class has, each of which must be known to us.
    known = sorted(config_class(family)().to_dict())
    kind = type(model)
    model = kind.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    model.generation_config.eos_token_id = SIZES["eos_token_id"]
    if options.get("generation", True):
        said = json.loads((folder / "generation_config.json").read_text("utf-8"))
        model.generation_config.eos_token_id = said["eos_token_id"]
    batch = inputs(model)
    found = outputs(model, batch)
    np.savez_compressed(folder / "reference.npz", **batch, **found, options=known)


def inputs(model):
    draw = np.random.default_rng(0)
    tokens = draw.integers(7, model.config.vocab_size, (3, 14))
    mask = np.ones_like(tokens)
    mask[1, 9:] = mask[2, 4:] = 0
    return {"tokens": tokens.astype("int32"), "tokens_mask": mask.astype("int32")}


def outputs(model, batch):
    """Logits and hidden states, and what two ways of decoding write."""
    tokens, mask = (torch.tensor(batch[key]).long() for key in sorted(batch))
    with torch.no_grad():
        result = model(tokens, attention_mask=mask, output_hidden_states=True)
        found = {"logits": result.logits.float().numpy()}
        for index, state in enumerate(result.hidden_states):
            found[f"state_{index}"] = state.float().numpy()
        start = tokens[:, :5]
        for name, beams in (("greedy", 1), ("beam", 4)):
            found[name] = model.generate(
                start,
                attention_mask=torch.ones_like(start),
                do_sample=False,
                num_beams=beams,
                max_length=30,
                pad_token_id=0,
            ).numpy()
    return found


def check():
    """Lets us rewrite all folders, transformers read them, and compares the outputs."""
    with rewritten(FILES, CASES) as place:
        for name in CASES:
            check_model(name, place / name)


def check_model(name, folder):
    written = json.loads((folder / "config.json").read_text("utf-8"))
    kind = getattr(transformers, written["architectures"][0])
    model, notes = kind.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    reference = dict(np.load(FILES / name / "reference.npz"))
    batch = {key: reference.pop(key) for key in ("tokens", "tokens_mask")}
    found = outputs(model.eval(), batch)
    assert not notes["missing_keys"], notes
    assert not notes["unexpected_keys"], notes
    real = batch["tokens_mask"].astype(bool)
    errors = {}
    for key, value in found.items():
        expected = reference[key]
        if key in ("greedy", "beam"):
            assert (value == expected).all(), (name, key)
        else:
            errors[key] = float(np.abs(value - expected)[real].max())
    print(name, kind.__name__, f"{max(errors.values()):.1e}")
    assert max(errors.values()) < 1e-4, name


def write_old(name, old):
    """A config.json of before, which means the same to transformers."""
    new = json.loads((FILES / name / "config.json").read_text("utf-8"))
    changed = {key: value for key, value in new.items() if key != "dtype"}
    parameters = changed.pop("rope_parameters")
    changed |= old
    config = config_class(CASES[name][0])(**changed)
    assert config.rope_parameters == parameters, (config.rope_parameters, parameters)
    (FILES / name / "old.json").write_text(json.dumps(changed, indent=1), "utf-8")


if __name__ == "__main__":
    main()
