"""Writes tests/parity/files/encoder: GPT-2, BERT and tokenizers of transformers.

Needs torch, transformers and, for the tokenizer of T5, sentencepiece:

    python tests/parity/make_encoder.py           write the reference
    python tests/parity/make_encoder.py check     our folders, read by transformers
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
from tokenizers import normalizers, pre_tokenizers, trainers

FILES = pathlib.Path(__file__).parent / "files/encoder"
CONTEXT = 24
GPT2 = dict(n_positions=CONTEXT, n_embd=21, n_layer=2, n_head=3)
BERT = dict(
    vocab_size=60,
    max_position_embeddings=CONTEXT,
    hidden_size=20,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=17,
)
# name: (class, settings, how it is stored)
CASES = {
    "gpt2": ("GPT2LMHeadModel", dict(vocab_size=53, **GPT2), {}),
    "gpt2_body": ("GPT2Model", dict(vocab_size=53, **GPT2), {}),
    "gpt2_untied": (
        "GPT2LMHeadModel",
        dict(vocab_size=90, n_inner=17, tie_word_embeddings=False, **GPT2),
        dict(max_shard_size="12KB"),
    ),
    "gpt2_odd": (
        "GPT2LMHeadModel",
        dict(
            vocab_size=53,
            **GPT2,
            activation_function="gelu",
            layer_norm_epsilon=1e-3,
            scale_attn_weights=False,
        ),
        {},
    ),
    "gpt2_half": (
        "GPT2LMHeadModel",
        dict(vocab_size=53, **GPT2),
        dict(dtype="float16"),
    ),
    "bert": ("BertModel", BERT, {}),
    "bert_no_pooler": (
        "BertModel",
        {**BERT, "hidden_act": "relu", "type_vocab_size": 1},
        dict(arguments=dict(add_pooling_layer=False)),
    ),
    "bert_masked": ("BertForMaskedLM", {**BERT, "hidden_act": "gelu_new"}, {}),
    "bert_masked_untied": (
        "BertForMaskedLM",
        {**BERT, "tie_word_embeddings": False},
        dict(dtype="bfloat16"),
    ),
    "bert_pretraining": ("BertForPreTraining", BERT, {}),
    "bert_next_sentence": ("BertForNextSentencePrediction", BERT, {}),
    "bert_sequence": (
        "BertForSequenceClassification",
        {**BERT, "id2label": {0: "bad", 1: "fair", 2: "good"}},
        dict(max_shard_size="12KB"),
    ),
    "bert_value": ("BertForSequenceClassification", {**BERT, "num_labels": 1}, {}),
    "bert_token": ("BertForTokenClassification", {**BERT, "num_labels": 5}, {}),
    "bert_answer": ("BertForQuestionAnswering", BERT, {}),
}
TEXTS = [
    "Hello world! It's the model's 2nd test, isn't it?  Don't we'll they've.",
    "naïve café résumé Ångström ÉCOLE Straße İstanbul ﬁ ﬂ ½ ①",
    "cafe\u0301 e\u0301\u0302 q\u0307\u0323 zero\u200bwidth soft\u00adhyphen",
    "日本語のテキスト。中文字符混排 English 한국어 텍스트",
    "Привет, мир! Ελληνικά: Ωμέγα ς עברית العربية १२३ हिन्दी ไทย",
    "emoji 😀👍🏽👩\u200d👩\u200d👧\u200d👦🇩🇪 ❤\ufe0f ☃ \U0001d518\U0001d52b\U0001d526",
    "tabs\tand\nnew\r\nlines   many    spaces \u00a0\u2003\u3000wide\u2028sep",
    "control \x00\x01\x07\x1b[0m\x7f\x85\ufffd\ufeff end",
    " leading and trailing  ",
    "",
    " ",
    "\n\n",
    "[MASK] in a [CLS] text [SEP] [UNK] <|endoftext|> </s> <extra_id_0><extra_id_99>",
    "snake_case CamelCase http://a.b/c?d=e&f=g 3.14 1,000,000 $5 50% a@b.c #tag",
    "supercalifragilisticexpialidocious " + "x" * 120,
    "def f(x):\n    return x ** 2  # square\n",
]
WINDOWS = ("what did the dog see?", " ".join(["the dog saw the old house"] * 6))
CORPUS = [
    *TEXTS[:7],
    "the cat sat on the mat and the dog saw the cat in the old house by the sea",
    "reading and writing, singing and ringing, she is reading what he was writing",
]


def main():
    if sys.argv[1:] == ["check"]:
        check()
        return
    shutil.rmtree(FILES, ignore_errors=True)
    for name, case in CASES.items():
        write_model(name, *case)
    write_tokenizers()


def make(kind, settings, arguments=None):
    """A model whose numbers are large enough to tell right from wrong."""
    torch.manual_seed(0)
    config_class = (
        transformers.GPT2Config if "GPT2" in kind else transformers.BertConfig
    )
    ends = dict(bos_token_id=1, eos_token_id=1) if "GPT2" in kind else {}
    config = config_class(**{**settings, **ends})
    model = getattr(transformers, kind)(config, **(arguments or {})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.25)
    return model


def write_model(name, kind, settings, options):
    folder = FILES / name
    model = make(kind, settings, options.get("arguments"))
    dtype = getattr(torch, options.get("dtype", "float32"))
    model = model.to(dtype)
    shards = {k: v for k, v in options.items() if k == "max_shard_size"}
    model.save_pretrained(folder, **shards)
    model = model.float()
    batch = inputs(model)
    np.savez_compressed(folder / "reference.npz", **batch, **outputs(model, batch))


def inputs(model):
    draw = np.random.default_rng(0)
    tokens = draw.integers(2, model.config.vocab_size, (3, 11))
    if model.config.model_type == "gpt2":
        return {"tokens": tokens.astype("int32")}
    segments = np.zeros_like(tokens)
    if model.config.type_vocab_size > 1:
        segments[:, 5:] = 1
    mask = np.ones_like(tokens)
    mask[1, 7:] = mask[2, 3:] = 0
    found = {"tokens": tokens, "segments": segments, "tokens_mask": mask}
    return {key: value.astype("int32") for key, value in found.items()}


def outputs(model, batch):
    """Every output as an array; hidden states, and what greedy search writes."""
    names = {"tokens": "input_ids", "segments": "token_type_ids"}
    names["tokens_mask"] = "attention_mask"
    given = {names[key]: torch.tensor(value).long() for key, value in batch.items()}
    with torch.no_grad():
        result = model(**given, output_hidden_states=True)
        found = {
            f"out_{key.removeprefix('prediction_')}": value.float().numpy()
            for key, value in result.items()
            if isinstance(value, torch.Tensor)
        }
        if type(model) is transformers.BertModel:
            for index, state in enumerate(result.hidden_states):
                found[f"state_{index}"] = state.float().numpy()
        if hasattr(model, "lm_head") and hasattr(model, "generate"):
            found["greedy"] = model.generate(
                given["input_ids"][:, :5],
                attention_mask=torch.ones(3, 5).long(),
                do_sample=False,
                max_length=CONTEXT,
                eos_token_id=None,
                pad_token_id=0,
            ).numpy()
    return found


def write_tokenizers():
    folder = FILES / "tokenizers"
    write_gpt2_tokenizer(folder / "gpt2")
    write_bert_tokenizer(folder / "bert_uncased", lowercase=True)
    write_bert_tokenizer(folder / "bert_cased", lowercase=False)
    write_t5_tokenizer(folder / "t5")
    ids = {
        "gpt2": transformers.GPT2TokenizerFast.from_pretrained(folder / "gpt2"),
        "bert_uncased": transformers.BertTokenizerFast.from_pretrained(
            folder / "bert_uncased"
        ),
        "bert_cased": transformers.BertTokenizerFast.from_pretrained(
            folder / "bert_cased"
        ),
        "t5": transformers.T5TokenizerFast.from_pretrained(folder / "t5"),
    }
    found = {
        name: {
            "single": [tokenizer(text)["input_ids"] for text in TEXTS],
            "pair": tokenizer(TEXTS[0], TEXTS[1])["input_ids"],
            "decoded": [
                tokenizer.decode(
                    tokenizer(text)["input_ids"],
                    skip_special_tokens=True,
                    clean_up_tokenization_spaces=False,
                )
                for text in TEXTS
            ],
        }
        for name, tokenizer in ids.items()
    }
    found["bert_uncased"]["windows"] = ids["bert_uncased"](
        WINDOWS[0],
        WINDOWS[1],
        truncation="only_second",
        max_length=CONTEXT,
        stride=4,
        return_overflowing_tokens=True,
    )["input_ids"]
    # One folder with tokenizer.json only, and with padding and truncation in it.
    core = ids["bert_uncased"].backend_tokenizer
    core.enable_truncation(8)
    core.enable_padding(length=8)
    (folder / "bert_json").mkdir()
    core.save(str(folder / "bert_json/tokenizer.json"))
    answer = {"texts": TEXTS, "windows": WINDOWS, **found}
    (folder / "ids.json").write_text(json.dumps(answer), "utf-8")


def write_gpt2_tokenizer(folder):
    folder.mkdir(parents=True)
    core = core_library.ByteLevelBPETokenizer()
    core.train_from_iterator(
        CORPUS, vocab_size=330, min_frequency=1, special_tokens=["<|endoftext|>"]
    )
    core.save_model(str(folder))
    _write(folder / "tokenizer_config.json", {"model_max_length": CONTEXT})


def write_bert_tokenizer(folder, lowercase):
    folder.mkdir(parents=True)
    core = core_library.Tokenizer(core_library.models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    core.train_from_iterator(
        [*CORPUS[:3], *CORPUS[4:]],
        trainers.WordPieceTrainer(vocab_size=330, special_tokens=special),
    )
    core.model.save(str(folder))
    _write(folder / "tokenizer_config.json", {"do_lower_case": lowercase})


def write_t5_tokenizer(folder):
    import sentencepiece

    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3),
        model_prefix=str(folder / "spiece"),
        vocab_size=400,
        hard_vocab_limit=False,
        character_coverage=0.98,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
    )
    (folder / "spiece.vocab").unlink()


# Run by itself, because torch and TensorFlow may not share a process.
REWRITE = """
import pathlib, sys
from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
files, place, *names = sys.argv[1:]
tokenizers = {"gpt2": "gpt2", "bert": "bert_cased"}
for name in names:
    model = from_preset(pathlib.Path(files, name))
    if name in tokenizers:
        folder = pathlib.Path(files, "tokenizers", tokenizers[name])
        model.tokenizer = read_tokenizer(folder, FAMILIES[name])
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
        for name, source in {"gpt2": "gpt2", "bert": "bert_cased"}.items():
            theirs = transformers.AutoTokenizer.from_pretrained(f"{place}/{name}")
            got = [theirs(text)["input_ids"] for text in known["texts"]]
            assert got == known[source]["single"], name
            print(name, type(theirs).__name__, theirs.special_tokens_map)


def check_model(folder, reference):
    """Compares what transformers says of a folder of ours with what it said before.

    Args:
        folder: path, ours.
        reference: path of the folder that it was read from.
    """
    written = json.loads((folder / "config.json").read_text("utf-8"))
    kind = getattr(transformers, written["architectures"][0])
    model, notes = kind.from_pretrained(folder, output_loading_info=True)
    reference = dict(np.load(reference / "reference.npz"))
    keys = {"tokens", "segments", "tokens_mask"} & reference.keys()
    batch = {key: reference.pop(key) for key in sorted(keys)}
    model.eval()
    found = {**outputs(model.base_model, batch), **outputs(model, batch)}
    errors = {
        key: float(np.abs(found[key] - value).max())
        for key, value in reference.items()
        if key in found
    }
    print(folder.name, kind.__name__, errors, sorted(notes["missing_keys"]))
    assert max(errors.values()) < 1e-4, folder.name


def _write(path, content):
    path.write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    main()
