"""Writes tiny seq2seq checkpoints and what transformers answers to them.

Run: python tests/parity/make_seq2seq.py [CASE...]   (needs torch and transformers)
     python tests/parity/make_seq2seq.py check       our folders, read by transformers

For each case below, or those named, it writes `files/seq2seq/NAME/`, a folder as
transformers saves it, and in it `reference.json`: token inputs, logits, and the tokens
of several ways to decode. `test_seq2seq_parity.py` compares them with ours and needs
neither.
"""

import json
import pathlib
import shutil
import sys
import warnings

import numpy as np
import torch
import transformers
from rewriting import rewritten

FILES = pathlib.Path(__file__).parent / "files" / "seq2seq"
SIZE = 40  # tokens
SPECIAL = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)

BART = dict(
    vocab_size=SIZE,
    d_model=12,
    encoder_layers=1,
    decoder_layers=2,
    encoder_attention_heads=2,
    decoder_attention_heads=3,
    encoder_ffn_dim=20,
    decoder_ffn_dim=16,
    max_position_embeddings=24,
    forced_eos_token_id=None,
    init_std=0.4,
    **SPECIAL,
)
T5 = dict(
    vocab_size=SIZE,
    d_model=10,
    d_kv=3,
    d_ff=14,
    num_layers=2,
    num_decoder_layers=1,
    num_heads=3,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=12,
    pad_token_id=0,
    eos_token_id=2,
    decoder_start_token_id=0,
)
# Nothing says twice what pads, and what the decoder begins with.
MARIAN = {
    **BART,
    "activation_function": "swish",
    "scale_embedding": True,
    "decoder_start_token_id": 0,
}
M2M100 = {
    **BART,
    "activation_function": "relu",
    "scale_embedding": True,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "decoder_start_token_id": 2,
    "encoder_layerdrop": 0.0,
    "decoder_layerdrop": 0.0,
}
CASES = {
    "bart": ("Bart", BART),
    "bart_unusual": (
        "Bart",
        {
            **BART,
            "activation_function": "relu",
            "scale_embedding": True,
            "tie_word_embeddings": False,
            "decoder_attention_heads": 2,
        },
    ),
    "t5": ("T5", T5),
    "flan_t5": (
        "T5",
        {
            **T5,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "num_decoder_layers": 3,
            "num_layers": 1,
        },
    ),
    "blenderbot": (
        "Blenderbot",
        {**BART, "encoder_layers": 2, "decoder_layers": 3, "scale_embedding": True},
    ),
    "blenderbot_small": (
        "BlenderbotSmall",
        {**BART, "activation_function": "gelu_new"},
    ),
    "marian": ("Marian", MARIAN),
    "marian_apart": (
        "Marian",
        {
            **MARIAN,
            "activation_function": "relu",
            "scale_embedding": False,
            "share_encoder_decoder_embeddings": False,
            "vocab_size": SIZE + 7,
            "decoder_vocab_size": SIZE,
            "decoder_attention_heads": 2,
        },
    ),
    "marian_untied": ("Marian", {**MARIAN, "tie_word_embeddings": False}),
    "pegasus": ("Pegasus", {**MARIAN, "activation_function": "relu"}),
    "mbart": ("MBart", {**BART, "scale_embedding": True, "decoder_start_token_id": 2}),
    "m2m100": ("M2M100", M2M100),
    "m2m100_untied": (
        "M2M100",
        {
            **M2M100,
            "scale_embedding": False,
            "tie_word_embeddings": False,
            "activation_function": "gelu",
        },
    ),
}
INPUTS = [
    [5, 6, 7, 8, 9, 10, 5, 6, 7, 11, 2],
    [12, 13, 2],
    [20, 21, 22, 20, 21, 23, 2],
]
# Everything that a generation_config.json may ask for, alone and together.
DECODINGS = {
    "greedy": dict(num_beams=1, max_length=14),
    "greedy_with_rules": dict(
        num_beams=1,
        max_length=14,
        repetition_penalty=1.7,
        no_repeat_ngram_size=2,
        encoder_no_repeat_ngram_size=2,
        min_length=9,
        bad_words_ids=[[30], [31, 32], [2]],
        suppress_tokens=[33, 34],
        forced_bos_token_id=7,
        forced_eos_token_id=2,
    ),
    "beam": dict(num_beams=4, max_length=14),
    "beam_early": dict(
        num_beams=3, max_length=14, early_stopping=True, length_penalty=2.0
    ),
    "beam_never": dict(
        num_beams=3, max_length=14, early_stopping="never", length_penalty=0.65
    ),
    "beam_short": dict(num_beams=2, max_length=14, length_penalty=-1.0),
    "beam_renormalized": dict(
        num_beams=4, max_length=14, renormalize_logits=True, bad_words_ids=[[0], [7]]
    ),
    "beam_with_rules": dict(
        num_beams=3,
        max_length=15,
        length_penalty=0.65,
        no_repeat_ngram_size=3,
        encoder_no_repeat_ngram_size=3,
        repetition_penalty=1.3,
        min_length=8,
        bad_words_ids=[[30], [31, 32]],
        suppress_tokens=[33],
        forced_eos_token_id=2,
        forced_bos_token_id=9,
    ),
}


def main(names):
    if names == ["check"]:
        check()
        return
    for number, (name, (family, config)) in enumerate(CASES.items()):
        if names and name not in names:
            continue
        shutil.rmtree(FILES / name, ignore_errors=True)
        torch.manual_seed(number)
        settings = getattr(transformers, f"{family}Config")(**config)
        kind = kind_of(family)
        model = kind(settings).eval()
        loosen(model)
        model.save_pretrained(FILES / name)
        # Read again, as anybody would: a file may not hold all that was in memory.
        model = kind.from_pretrained(FILES / name).eval()
        reference = {"logits": logits(model), "decoded": decoded(model)}
        text = json.dumps({"inputs": INPUTS, "targets": targets(), **reference})
        (FILES / name / "reference.json").write_text(text)
        print(name, reference["decoded"]["beam_with_rules"])


def kind_of(family):
    head = "MTModel" if family == "Marian" else "ForConditionalGeneration"
    return getattr(transformers, f"{family}{head}")


def check():
    """Lets us rewrite all folders, transformers read them, and compares."""
    with rewritten(FILES, CASES) as place:
        for name, (family, _) in CASES.items():
            models = []
            for folder in (FILES / name, place / name):
                model, told = kind_of(family).from_pretrained(
                    folder, output_loading_info=True
                )
                # Of three tables, nobody reads this one.
                told["missing_keys"] -= {"model.shared.weight"}
                assert not any(told.values()), told
                models.append(model.eval())
            own, other = (torch.tensor(logits(model)) for model in models)
            ways = dict(input_ids=torch.tensor([INPUTS[1]]), use_cache=False)
            texts = [model.generate(**ways, max_length=14).tolist() for model in models]
            print(name, "difference", (own - other).abs().max().item(), *texts[1])
            assert texts[0] == texts[1]
            assert torch.equal(own, other)


def loosen(model):
    """Away from the initial zeros and ones, so that every weight counts."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue  # waves
            parameter += 0.1 * torch.randn_like(parameter)
            if "relative_attention_bias" in name or "embed_positions" in name:
                parameter *= 4  # texts that do not say the same word all the time
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias += torch.randn_like(model.final_logits_bias)
            model.final_logits_bias[0, 2] += 3  # and that end


def targets():
    return np.random.default_rng(0).integers(3, SIZE, (len(INPUTS), 9)).tolist()


def padded():
    longest = max(map(len, INPUTS))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in INPUTS])
    mask = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in INPUTS])
    return tokens, mask


def logits(model):
    tokens, mask = padded()
    with torch.no_grad():
        output = model(
            input_ids=tokens,
            attention_mask=mask,
            decoder_input_ids=torch.tensor(targets()),
        )
    return output.logits.numpy().round(6).tolist()


def decoded(model):
    """Tokens after the start token, up to the end token, of each input alone."""
    found = {}
    for name, settings in DECODINGS.items():
        rows = []
        for row in INPUTS:  # alone, because padding would count as input in some rules
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ids = model.generate(
                    input_ids=torch.tensor([row]),
                    attention_mask=torch.ones((1, len(row)), dtype=torch.long),
                    do_sample=False,
                    use_cache=False,  # its cache has too few layers for a deep decoder
                    **settings,
                )
            rows.append(ids[0, 1:].tolist())
        found[name] = {"settings": settings, "tokens": rows}
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
