"""Writes tests/parity/files/decoder_heads: bodies of decoders, and heads on them.

Needs torch and transformers:

    python tests/parity/make_decoder_heads.py          write the reference
    python tests/parity/make_decoder_heads.py check    our folders, read by transformers
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import tokenizers as core_library
import torch
import transformers
from make_decoder import SIZES, inputs
from rewriting import rewritten
from tokenizers import models, pre_tokenizers, processors

FILES = pathlib.Path(__file__).parent / "files/decoder_heads"
GPT2 = dict(vocab_size=37, n_embd=12, n_layer=2, n_head=3, n_positions=40)
GPT2 |= dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
PARTIAL = dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.67)
THREE = dict(id2label={0: "bad", 1: "so so", 2: "good"})
# name: (class, its config's class, settings)
CASES = {
    "llama": ("LlamaModel", "LlamaConfig", {}),
    "mistral": ("MistralModel", "MistralConfig", dict(sliding_window=5)),
    "qwen2": ("Qwen2Model", "Qwen2Config", dict(tie_word_embeddings=True)),
    "qwen3": ("Qwen3Model", "Qwen3Config", dict(head_dim=6)),
    "phi3": (
        "Phi3Model",
        "Phi3Config",
        dict(num_attention_heads=2, rope_parameters=PARTIAL),
    ),
    "gemma2": ("Gemma2Model", "Gemma2Config", dict(head_dim=6, sliding_window=5)),
    "gemma3": (
        "Gemma3TextModel",
        "Gemma3TextConfig",
        dict(head_dim=6, sliding_window=4),
    ),
    "gpt2": ("GPT2Model", "GPT2Config", GPT2),
    "llama_labels": ("LlamaForSequenceClassification", "LlamaConfig", THREE),
    "qwen2_value": (
        "Qwen2ForSequenceClassification",
        "Qwen2Config",
        dict(num_labels=1, tie_word_embeddings=True),
    ),
    "gemma3_labels": (
        "Gemma3TextForSequenceClassification",
        "Gemma3TextConfig",
        dict(head_dim=6, sliding_window=4, **THREE),
    ),
    "gpt2_labels": ("GPT2ForSequenceClassification", "GPT2Config", GPT2 | THREE),
    "qwen3_tags": ("Qwen3ForTokenClassification", "Qwen3Config", THREE),
    "gpt2_tags": ("GPT2ForTokenClassification", "GPT2Config", GPT2 | THREE),
    "llama_answers": ("LlamaForQuestionAnswering", "LlamaConfig", {}),
    "mistral_answers": ("MistralForQuestionAnswering", "MistralConfig", {}),
    "gpt2_answers": ("GPT2ForQuestionAnswering", "GPT2Config", GPT2),
}
TEXTS = ["the cat sat", "a dog in the old house saw the cat", "dog"]
PROMPTS = {"query": "find the house : ", "document": ""}


def main():
    if sys.argv[1:] == ["check"]:
        check()
        return
    shutil.rmtree(FILES, ignore_errors=True)
    for name, (kind, config, settings) in CASES.items():
        model = make(kind, config, settings)
        model.save_pretrained(FILES / name)
        model = read(kind, FILES / name)
        batch = inputs(model)
        found = outputs(model, batch)
        np.savez_compressed(FILES / name / "reference.npz", **batch, **found)
    write_embedder(FILES / "embedder")


def make(kind, config, settings):
    """A model whose numbers are large enough to tell right from wrong."""
    torch.manual_seed(0)
    sizes = {} if config == "GPT2Config" else SIZES
    settings = getattr(transformers, config)(**{**sizes, **settings})
    settings._attn_implementation = "eager"  # the others have no caps
    model = getattr(transformers, kind)(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def read(kind, folder):
    model, notes = getattr(transformers, kind).from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    assert not any(notes.values()), notes
    return model.eval()


def outputs(model, batch):
    """All that a model says of a padded batch."""
    tokens, mask = (torch.tensor(batch[key]).long() for key in sorted(batch))
    tokens = torch.where(mask.bool(), tokens, SIZES["pad_token_id"])
    with torch.no_grad():
        result = model(tokens, attention_mask=mask)
    known = ("last_hidden_state", "logits", "start_logits", "end_logits")
    return {key: result[key].numpy() for key in known if key in result}


def write_embedder(folder):
    """A folder of sentence-transformers as those of Qwen3-Embedding are."""
    model = make("Qwen3Model", "Qwen3Config", dict(head_dim=6))
    model.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    # As published: the class of a language model, whose output matrix is not stored.
    path.write_text(json.dumps({**config, "architectures": ["Qwen3ForCausalLM"]}))
    write_tokenizer(folder)
    kinds = ("Transformer", "Pooling", "Normalize")
    places = ("", "1_Pooling", "2_Normalize")
    modules = [
        dict(
            idx=i, name=str(i), path=place, type=f"sentence_transformers.models.{kind}"
        )
        for i, (kind, place) in enumerate(zip(kinds, places, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    pooling = {f"pooling_mode_{mode}": False for mode in modes}
    pooling |= dict(word_embedding_dimension=12, include_prompt=True)
    pooling |= dict(pooling_mode_weightedmean_tokens=False, pooling_mode_lasttoken=True)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    main = dict(prompts=PROMPTS, default_prompt_name=None, similarity_fn_name="cosine")
    main["__version__"] = {"sentence_transformers": "2.7.0"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(main))
    found = {name: embedded(folder, before) for name, before in PROMPTS.items()}
    (folder / "reference.json").write_text(json.dumps({"texts": TEXTS, **found}))


def write_tokenizer(folder):
    words = " ".join([*TEXTS, *PROMPTS.values()]).split()
    words = ["<|endoftext|>", "<unk>", *dict.fromkeys(words)]
    core = core_library.Tokenizer(
        models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>")
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>",
        pair="$A <|endoftext|> $B:1 <|endoftext|>:1",
        special_tokens=[("<|endoftext|>", 0)],
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<unk>",
        padding_side="left",
        model_max_length=32,
    ).save_pretrained(folder)


def embedded(folder, before):
    """As the card of Qwen3-Embedding defines it: the last token's, of length one."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(
        [before + text for text in TEXTS], padding=True, return_tensors="pt"
    )
    batch.pop("token_type_ids", None)
    assert batch["attention_mask"][:, -1].all()  # padding is on the left
    with torch.no_grad():
        vectors = model(**batch).last_hidden_state[:, -1]
    return torch.nn.functional.normalize(vectors, dim=1).numpy().tolist()


def check():
    """Lets us rewrite all folders, transformers read them, and compares the outputs."""
    with rewritten(FILES, CASES) as place:
        for name in CASES:
            folder = place / name
            config = json.loads((folder / "config.json").read_text("utf-8"))
            (kind,) = config["architectures"]
            reference = dict(np.load(FILES / name / "reference.npz"))
            batch = {key: reference.pop(key) for key in ("tokens", "tokens_mask")}
            found = outputs(read(kind, folder), batch)
            assert found.keys() == reference.keys()
            real = batch["tokens_mask"].astype(bool)
            errors = [
                np.abs(value - reference[key])[
                    real if value.shape[:2] == real.shape else ...
                ].max()
                for key, value in found.items()
            ]
            print(name, kind, f"{max(errors):.1e}")
            assert max(errors) < 1e-4, name


if __name__ == "__main__":
    main()
