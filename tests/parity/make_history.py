"""Writes tests/parity/files/history: folders as old releases of transformers made them.

Needs torch, safetensors, sentencepiece and, in folders of their own, the releases:

    pip install --no-deps --target OLD/transformers transformers==3.5.1
    pip install --no-deps --target OLD/hub huggingface_hub==0.16.4
    python tests/parity/make_history.py OLD

They begin their folder's name with the release. Releases before 4.27 wrote pickles: the
same tensors, with all buffers and what is tied twice, are stored as safetensors, as
services that convert such files do it.
"""

import importlib.machinery
import json
import os
import pathlib
import shutil
import sys
import types

os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
os.environ["USE_TF"] = "0"
OLD = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(OLD / "transformers"), str(OLD / "hub")]


def stand_in(name, **content):
    """A module that these releases ask for and that this does not need."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(module).update(content)
    sys.modules[name] = module


stand_in("sacremoses")
stand_in(
    "transformers.dependency_versions_check",
    deps={},
    dep_version_check=lambda *names: None,
)

import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.optim.lr_scheduler.SAVE_STATE_WARNING = ""
for _kind in (int, float, bool, object):
    if _kind.__name__ not in vars(np):
        setattr(np, _kind.__name__, _kind)

import transformers  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

FILES = pathlib.Path(__file__).parent / "files"
RELEASE = transformers.__version__
PICKLES = RELEASE < "4.27"
SIZES = dict(
    vocab_size=31,
    max_position_embeddings=16,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=10,
)
DISTILBERT = dict(
    vocab_size=31,
    max_position_embeddings=16,
    dim=12,
    n_layers=2,
    n_heads=3,
    hidden_dim=9,
)
GPT2 = dict(vocab_size=31, n_positions=16, n_ctx=16, n_embd=12, n_layer=2, n_head=3)
THREE = {"num_labels": 3}
ELECTRA = dict(**SIZES, embedding_size=8)
ROBERTA = dict(**SIZES, type_vocab_size=1)
LLAMA = dict(**SIZES, num_key_value_heads=3, pad_token_id=0)
# The class, and its settings.
CASES = {
    "bert": ("BertForMaskedLM", SIZES),
    "bert_body": ("BertModel", SIZES),
    "bert_answer": ("BertForQuestionAnswering", SIZES),
    "roberta": ("RobertaForMaskedLM", ROBERTA),
    "roberta_sequence": ("RobertaForSequenceClassification", {**ROBERTA, **THREE}),
    "xlm_roberta_token": ("XLMRobertaForTokenClassification", {**ROBERTA, **THREE}),
    "camembert": ("CamembertForMaskedLM", ROBERTA),
    "distilbert": ("DistilBertForMaskedLM", DISTILBERT),
    "distilbert_body": ("DistilBertModel", DISTILBERT),
    "electra": ("ElectraForMaskedLM", ELECTRA),
    "electra_replaced": ("ElectraForPreTraining", ELECTRA),
    # Whatever the config said, the head's norm had this epsilon before 4.30.
    "albert": ("AlbertForMaskedLM", {**ELECTRA, "layer_norm_eps": 1e-5}),
    "albert_body": ("AlbertModel", ELECTRA),
    "mpnet": ("MPNetForMaskedLM", SIZES),
    "mpnet_body": ("MPNetModel", SIZES),
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt2_body": ("GPT2Model", GPT2),
    "llama": ("LlamaForCausalLM", LLAMA),
}
TEXTS = [
    "The cat  sat on the mat. ",
    " leading, and\ttabs\n\nlines ",
    "Zürich, 東京 and naïve 12,345 😀!",
    # Tokenizers without a fast kind drop blanks beside special tokens; none are here.
    "a<new>token",
]


def main():
    for path in (FILES / "history").glob(f"{RELEASE}_*"):
        shutil.rmtree(path)
    for name, (kind, settings) in CASES.items():
        if hasattr(transformers, kind):
            write_model(FILES / "history" / f"{RELEASE}_{name}", kind, settings)
    write_keys(FILES / "history/keys.json")
    for name, (kind, source, file) in TOKENIZERS.items():
        if hasattr(transformers, kind):
            folder = FILES / "history" / f"{RELEASE}_{name}_tokenizer"
            write_tokenizer(folder, kind, FILES / source, file)


def write_model(folder, kind, settings):
    torch.manual_seed(0)
    model = getattr(transformers, kind)
    model = model(model.config_class(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.25)
    folder.mkdir(parents=True)
    model.config.architectures = [kind]
    if PICKLES:
        model.config.save_pretrained(folder)
        tensors = {
            name: np.array(value.numpy()) for name, value in model.state_dict().items()
        }
        save_file(tensors, folder / "model.safetensors")
    else:
        model.save_pretrained(folder, safe_serialization=True)
    tokens = np.random.default_rng(0).integers(5, 31, (2, 9))
    mask = np.ones_like(tokens)
    if "GPT2" not in kind and "Llama" not in kind:
        mask[1, 6:] = 0
        tokens[1, 6:] = model.config.pad_token_id
    with torch.no_grad():
        found = model(torch.tensor(tokens), attention_mask=torch.tensor(mask))
    found = found if isinstance(found, tuple) else tuple(found.values())
    whole = "Answering" in kind
    outputs = {f"out_{n}": part.numpy() for n, part in enumerate(found[: 1 + whole])}
    inputs = dict(tokens=tokens.astype("int32"), tokens_mask=mask.astype("int32"))
    np.savez_compressed(folder / "reference.npz", **inputs, **outputs)
    print(folder.name, sorted(path.name for path in folder.iterdir()))


def write_keys(path):
    """All keys that a config.json of each family can have."""
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    found[RELEASE] = {}
    for kind, _ in CASES.values():
        if hasattr(transformers, kind):
            config = getattr(transformers, kind).config_class()
            found[RELEASE][config.model_type] = sorted(config.to_dict())
    path.write_text(json.dumps(found, indent=1), "utf-8")


# The class, the folder of its file, and the file's argument.
TOKENIZERS = {
    "bert": ("BertTokenizer", "encoder/tokenizers/bert_cased/vocab.txt", "vocab_file"),
    "roberta": ("RobertaTokenizer", "bert_kin/tokenizers/roberta", None),
    "gpt2": ("GPT2Tokenizer", "encoder/tokenizers/gpt2", None),
    "albert": (
        "AlbertTokenizer",
        "bert_kin/tokenizers/albert/spiece.model",
        "vocab_file",
    ),
    "camembert": (
        "CamembertTokenizer",
        "bert_kin/tokenizers/camembert/sentencepiece.bpe.model",
        "vocab_file",
    ),
    "xlm_roberta": (
        "XLMRobertaTokenizer",
        "bert_kin/tokenizers/xlm_roberta/sentencepiece.bpe.model",
        "vocab_file",
    ),
    "llama": ("LlamaTokenizer", "decoder_pieces/llama2/tokenizer.model", "vocab_file"),
}


def write_tokenizer(folder, kind, source, argument):
    """A tokenizer to which a user has added a token, and what it says."""
    kind = getattr(transformers, kind)
    if argument is None:
        files = [str(source / name) for name in ("vocab.json", "merges.txt")]
        tokenizer = kind(*files)
    else:
        options = {"do_lower_case": False} if kind.__name__ == "BertTokenizer" else {}
        tokenizer = kind(**{argument: str(source)}, **options)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<new>"]})
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(str(folder))
    tokenizer = kind.from_pretrained(str(folder))
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    content = json.dumps({"texts": TEXTS, "ids": ids, "size": len(tokenizer)})
    (folder / "ids.json").write_text(content, "utf-8")
    # The vocabulary, which is elsewhere already.
    kept = ("ids.json", "special_tokens_map.json", "tokenizer_config.json")
    for path in folder.iterdir():
        if path.name not in (*kept, "added_tokens.json"):
            path.unlink()
    print(folder.name, sorted(path.name for path in folder.iterdir()))


if __name__ == "__main__":
    main()
