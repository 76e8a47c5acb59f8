"""Writes tests/parity/files/bert_kin: folders of transformers of BERT's kin.

RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT, MPNet, ELECTRA, ALBERT and ModernBERT with
all their heads, and their tokenizers. Needs torch, transformers and sentencepiece:

    python tests/parity/make_bert_kin.py           write the reference
    python tests/parity/make_bert_kin.py only albert albert_odd    some of the models
    python tests/parity/make_bert_kin.py check     our folders, read by transformers
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import tokenizers as core_library
import torch
import transformers
from make_encoder import (
    CORPUS,
    TEXTS,
    check_model,
    outputs,
    write_bert_tokenizer,
)

FILES = pathlib.Path(__file__).parent / "files/bert_kin"
CONTEXT = 20
SIZES = dict(
    vocab_size=47,
    max_position_embeddings=CONTEXT,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=10,
)
DISTILBERT = dict(
    vocab_size=47,
    max_position_embeddings=CONTEXT,
    dim=12,
    n_layers=2,
    n_heads=3,
    hidden_dim=10,
)
MPNET = dict(**SIZES, layer_norm_eps=1e-5)
ELECTRA = dict(**SIZES, embedding_size=8)
ALBERT = dict(**SIZES, embedding_size=8)
MODERN = dict(
    **{**SIZES, "num_hidden_layers": 5},
    pad_token_id=0,
    local_attention=6,
    bos_token_id=1,
    eos_token_id=2,
    cls_token_id=1,
    sep_token_id=2,
)
HEADS = {
    "": "Model",
    "_masked": "ForMaskedLM",
    "_sequence": "ForSequenceClassification",
    "_token": "ForTokenClassification",
    "_answer": "ForQuestionAnswering",
}
THREE = {"id2label": {0: "bad", 1: "fair", 2: "good"}}


def heads(name, stem, sizes):
    """The usual heads of a family, by the names of their folders."""
    return {
        name + suffix: (
            stem + kind,
            {**sizes, **(THREE if "Classification" in kind else {})},
            {},
        )
        for suffix, kind in HEADS.items()
    }


# name: (class, settings, how it is stored)
CASES = {
    **heads("roberta", "Roberta", dict(**SIZES, type_vocab_size=1)),
    "roberta_odd": (  # another padding token, kinds of sentences, an untied head
        "RobertaForMaskedLM",
        dict(
            **SIZES,
            pad_token_id=4,
            hidden_act="relu",
            layer_norm_eps=1e-3,
            tie_word_embeddings=False,
        ),
        dict(max_shard_size="6KB"),
    ),
    "roberta_value": ("RobertaForSequenceClassification", dict(**SIZES, num_labels=1)),
    "xlm_roberta": (
        "XLMRobertaForMaskedLM",
        dict(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5),
        dict(dtype="float16"),
    ),
    "xlm_roberta_sequence": (
        "XLMRobertaForSequenceClassification",
        dict(**SIZES, type_vocab_size=1, **THREE),
    ),
    "camembert": ("CamembertModel", dict(**SIZES, type_vocab_size=1)),
    "camembert_masked": ("CamembertForMaskedLM", dict(**SIZES, type_vocab_size=1)),
    "camembert_token": (
        "CamembertForTokenClassification",
        dict(**SIZES, type_vocab_size=1, **THREE),
    ),
    **heads("distilbert", "DistilBert", DISTILBERT),
    "distilbert_odd": (
        "DistilBertForMaskedLM",
        dict(**DISTILBERT, activation="relu", tie_word_embeddings=False),
    ),
    **heads("mpnet", "MPNet", MPNET),
    "mpnet_odd": (
        "MPNetForMaskedLM",
        dict(
            **{**MPNET, "max_position_embeddings": 200},
            hidden_act="gelu_new",
            tie_word_embeddings=False,
        ),
        dict(length=150),  # farther apart than the last bucket begins
    ),
    **heads("electra", "Electra", ELECTRA),
    "electra_pretraining": ("ElectraForPreTraining", {**ELECTRA, "hidden_act": "relu"}),
    "electra_wide": (
        "ElectraForMaskedLM",
        dict(**SIZES, embedding_size=12, hidden_act="relu", tie_word_embeddings=False),
    ),
    **heads("albert", "Albert", ALBERT),
    "albert_odd": (
        "AlbertForMaskedLM",
        dict(
            **{**ALBERT, "num_hidden_layers": 5},
            num_hidden_groups=3,
            inner_group_num=2,
            hidden_act="relu",
            tie_word_embeddings=False,
        ),
    ),
    "albert_pretraining": ("AlbertForPreTraining", ALBERT),
    "albert_wide": ("AlbertModel", dict(**SIZES, embedding_size=12)),
}
CASES |= {
    **heads("modernbert", "ModernBert", MODERN),
    "modernbert_mean": (
        "ModernBertForSequenceClassification",
        dict(**MODERN, classifier_pooling="mean", num_labels=1),
    ),
    "modernbert_odd": (  # with all biases, untied, other layers, all waves longer
        "ModernBertForMaskedLM",
        dict(
            **{**MODERN, "local_attention": 4},
            hidden_activation="gelu_new",
            classifier_activation="relu",
            norm_eps=1e-3,
            norm_bias=True,
            attention_bias=True,
            mlp_bias=True,
            classifier_bias=True,
            tie_word_embeddings=False,
            layer_types=["sliding_attention", "full_attention"] * 2
            + ["sliding_attention"],
            rope_parameters={
                "full_attention": dict(rope_type="default", rope_theta=500.0),
                "sliding_attention": dict(
                    rope_type="linear", factor=2.0, rope_theta=20.0
                ),
            },
        ),
    ),
    "modernbert_unbiased": (
        "ModernBertForMaskedLM",
        dict(**MODERN, decoder_bias=False, classifier_activation="silu"),
        dict(dtype="bfloat16"),
    ),
}
MORE = [
    "the <mask> of a <s> text </s> <pad> <unk>",
    "a [MASK] b  [MASK]c <mask>d",
    "quotes ``so'' and 1,000, 5,",
]


def main():
    if sys.argv[1:] == ["check"]:
        check()
        return
    names = sys.argv[2:] or CASES
    if names is CASES:
        shutil.rmtree(FILES, ignore_errors=True)
    for name in names:
        kind, settings, *options = CASES[name]
        write_model(name, kind, settings, *options)
    if names is CASES:
        write_tokenizers()


def make(kind, settings):
    """A model whose numbers are large enough to tell right from wrong."""
    torch.manual_seed(0)
    config = getattr(transformers, kind).config_class(**settings)
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.25)
    return model


def write_model(name, kind, settings, options=None):
    options = options or {}
    folder = FILES / name
    model = make(kind, settings).to(getattr(torch, options.get("dtype", "float32")))
    shards = {k: v for k, v in options.items() if k == "max_shard_size"}
    model.save_pretrained(folder, **shards)
    model = model.float()
    batch = inputs(model, options.get("length", 11))
    found = outputs(model, batch)
    if kind.endswith("Model"):
        given = {
            "input_ids": torch.tensor(batch["tokens"]).long(),
            "attention_mask": torch.tensor(batch["tokens_mask"]).long(),
        }
        if "segments" in batch:
            given["token_type_ids"] = torch.tensor(batch["segments"]).long()
        with torch.no_grad():
            states = model(**given, output_hidden_states=True).hidden_states
        for index, state in enumerate(states):
            found[f"state_{index}"] = state.numpy()
    np.savez_compressed(folder / "reference.npz", **batch, **found)


def inputs(model, length):
    """Padded rows; one has the padding token in its midst."""
    config = model.config
    draw = np.random.default_rng(0)
    pad = config.pad_token_id
    tokens = draw.integers(5, config.vocab_size, (3, length))
    mask = np.ones_like(tokens)
    mask[1, 7:] = mask[2, 3:] = 0
    tokens[mask == 0] = pad
    tokens[0, 4] = pad
    found = {"tokens": tokens, "tokens_mask": mask}
    if getattr(config, "type_vocab_size", 0) > 1:
        segments = np.zeros_like(tokens)
        segments[:, 5:] = 1
        found["segments"] = segments
    return {key: value.astype("int32") for key, value in found.items()}


def write_tokenizers():
    folder = FILES / "tokenizers"
    write_roberta_tokenizer(folder / "roberta")
    write_pieces(folder / "xlm_roberta", "sentencepiece.bpe", {})
    write_pieces(folder / "camembert", "sentencepiece.bpe", {})
    write_bert_tokenizer(folder / "distilbert", lowercase=True)
    write_mpnet_tokenizer(folder / "mpnet")
    special = dict(
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        pad_piece="<pad>",
        unk_piece="<unk>",
        control_symbols="[CLS],[SEP],[MASK]",
        normalization_rule_name="identity",  # the other would take 600 KB
    )
    write_pieces(folder / "albert", "spiece", special)
    shutil.copytree(folder / "albert", folder / "albert_cased")
    _write(
        folder / "albert_cased/tokenizer_config.json",
        {"do_lower_case": False, "keep_accents": True},
    )
    found = {}
    for name, kind in {
        "roberta": "RobertaTokenizerFast",
        "xlm_roberta": "XLMRobertaTokenizerFast",
        "camembert": "CamembertTokenizerFast",
        "distilbert": "DistilBertTokenizerFast",
        "mpnet": "MPNetTokenizerFast",
        "albert": "AlbertTokenizerFast",
        "albert_cased": "AlbertTokenizerFast",
    }.items():
        theirs = getattr(transformers, kind).from_pretrained(folder / name)
        fast = FILES / "tokenizers" / f"{name}_json"
        fast.mkdir()
        theirs.backend_tokenizer.save(str(fast / "tokenizer.json"))
        found[name] = {
            "single": [theirs(text)["input_ids"] for text in [*TEXTS, *MORE]],
            "pair": theirs(TEXTS[0], TEXTS[1])["input_ids"],
            "pad": theirs.pad_token_id,
        }
    answer = {"texts": [*TEXTS, *MORE], **found}
    (folder / "ids.json").write_text(json.dumps(answer), "utf-8")


def write_roberta_tokenizer(folder):
    folder.mkdir(parents=True)
    core = core_library.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    core.train_from_iterator(
        CORPUS, vocab_size=300, min_frequency=1, special_tokens=special
    )
    core.save_model(str(folder))
    # As transformers 4 wrote it; 5 takes the space before a mask along only if told.
    mask = dict(lstrip=True, rstrip=False, single_word=False, normalized=False)
    mask = {"__type": "AddedToken", "content": "<mask>", **mask}
    options = {"model_max_length": CONTEXT - 2, "mask_token": mask}
    _write(folder / "tokenizer_config.json", options)


def write_mpnet_tokenizer(folder):
    """`<s>`, `<pad>`, `</s>` and `[UNK]` come first, and `<mask>` last, as in MPNet."""
    write_bert_tokenizer(folder, lowercase=True)
    path = folder / "vocab.txt"
    words = path.read_text("utf-8").split("\n")
    new = ["<s>", "<pad>", "</s>", "[UNK]", *words[5:-1], "<mask>", ""]
    path.write_text("\n".join(new), "utf-8")


def write_pieces(folder, name, special):
    import sentencepiece

    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3),
        model_prefix=str(folder / name),
        vocab_size=300,
        hard_vocab_limit=False,
        character_coverage=0.98,
        **special,
    )
    (folder / f"{name}.vocab").unlink()


# Run by itself, because torch and TensorFlow may not share a process.
REWRITE = """
import pathlib, sys
from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
files, place, *names = sys.argv[1:]
tokenizers = {"roberta": "roberta", "distilbert": "distilbert", "mpnet": "mpnet",
              "albert": "albert", "xlm_roberta": "xlm-roberta",
              "camembert": "camembert"}
for name in names:
    model = from_preset(pathlib.Path(files, name))
    if name in tokenizers:
        folder = pathlib.Path(files, "tokenizers", name)
        model.tokenizer = read_tokenizer(folder, FAMILIES[tokenizers[name]])
    model.save_to_preset(pathlib.Path(place, name), format="huggingface")
"""


def check():
    """Lets us rewrite all folders, transformers read them, and compares the outputs."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-c", REWRITE, FILES, place, *CASES]
        subprocess.run(command, check=True)
        for name in CASES:
            check_model(pathlib.Path(place, name), FILES / name)
        known = json.loads((FILES / "tokenizers/ids.json").read_text("utf-8"))
        for name in (
            *("roberta", "distilbert", "mpnet", "albert", "xlm_roberta"),
            "camembert",
        ):
            theirs = transformers.AutoTokenizer.from_pretrained(f"{place}/{name}")
            got = [theirs(text)["input_ids"] for text in known["texts"]]
            assert got == known[name]["single"], name
            print(name, type(theirs).__name__, theirs.special_tokens_map)


def _write(path, content):
    path.write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    main()
