"""Writes tests/parity/files/translators: vocabulary files of Marian and others.

Needs torch, transformers and sentencepiece:

    python tests/parity/make_translator_tokenizers.py        write the reference
    python tests/parity/make_translator_tokenizers.py check  ours, read by transformers
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import sentencepiece
import transformers
from make_encoder import CORPUS, TEXTS
from transformers.models.m2m_100 import tokenization_m2m_100

FILES = pathlib.Path(__file__).parent / "files/translators"
MORE = [
    ">>de<< hello world",
    ">>xx<<hello",
    " >>de<< not the first",
    "mid >>de<< text >> and << more",
    ">>de",
    "a <pad> b </s> c <unk> d <s> e",
    "\u2581 written \u2581\u2581 out \u2581",
    "de_DE text en_XX </s> deu_Latn",
    "__en__ hello __de__",
    "<mask_1> and <mask_2> <unk_5>  <mask>x",
    "a<n>b <n> c<n>",
    "der hund sah die katze im alten haus am meer",
    "\u00e6\u00f8\u00e5 \u4e2d\u56fd \U0001f600\U0001f600 \u00df",
]
GERMAN = [
    "der hund sah die katze im alten haus am meer, und die katze sah den hund",
    "lesen und schreiben, singen und klingen, sie liest, was er schrieb",
    "Straße, Häuser, Bäume, Äpfel, Öl und Übermut 1 2 3",
]
# From, to: characters in base 16. The rules of SentencePiece itself take 600 KB.
RULES = (
    "9\t20\nA\t20\nD\t20\nA0\t20\n3000\t20\nFB01\t66 69\nFF21\t41\n1\t\nBD\t31 2F 32\n"
)
JSONS = ("pegasus_json", "mbart_json", "mbart50_json", "nllb_json")
NLLB = ["deu_Latn", "eng_Latn", "fra_Latn"]


def main():
    if sys.argv[1:] == ["check"]:
        check()
        return
    shutil.rmtree(FILES, ignore_errors=True)
    found = {"texts": [*TEXTS, *MORE]}
    for name, write in WRITERS.items():
        folder = FILES / name
        folder.mkdir(parents=True)
        found[name] = write(folder, found["texts"])
    for name in JSONS:
        found[name] = as_json(name.removesuffix("_json"), found)
    (FILES / "ids.json").write_text(json.dumps(found), "utf-8")


def train(path, corpus, **options):
    """A SentencePiece model at `path`."""
    with tempfile.TemporaryDirectory() as place:
        rules = pathlib.Path(place, "rules.tsv")
        rules.write_text(RULES, "utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus * 3),
            model_prefix=f"{place}/model",
            normalization_rule_tsv=str(rules),
            hard_vocab_limit=False,
            character_coverage=0.98,
            **{"vocab_size": 260, **options},
        )
        shutil.copy(f"{place}/model.model", path)
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def put(folder, name, content):
    (folder / name).write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def pieces(processor):
    return [processor.id_to_piece(index) for index in range(len(processor))]


def said(tokenizer, texts):
    """The ids of texts, and what they decode to, as transformers says."""
    ids = [tokenizer(text)["input_ids"] for text in texts]
    decoded = [tokenizer.decode(row, skip_special_tokens=True) for row in ids]
    return {"ids": ids, "decoded": decoded}


def marian_sides(folder):
    source = train(folder / "source.spm", CORPUS)
    target = train(folder / "target.spm", GERMAN, vocab_size=120)
    put(folder, "tokenizer_config.json", {"source_lang": "en", "target_lang": "de"})
    # Some pieces came up in no text; what is learned from is not what is read.
    kept = [
        [text for text in pieces(side)[3:] if len(text) != 3]
        for side in (source, target)
    ]
    return kept


def table(texts, codes=()):
    texts = ["</s>", "<unk>", *sorted({*texts} - {*codes}), *codes, "<pad>"]
    return {text: index for index, text in enumerate(texts)}


def both_sides(tokenizer, texts):
    written = [tokenizer(text_target=text)["input_ids"] for text in texts]
    return {
        "ids": [tokenizer(text)["input_ids"] for text in texts],
        "written": written,
        "decoded": [tokenizer.decode(row, skip_special_tokens=True) for row in written],
        "whole": [tokenizer.decode(row) for row in written],
    }


def marian(folder, texts):
    first, second = marian_sides(folder)
    put(folder, "vocab.json", table([*first, *second], [">>de<<", ">>nl<<"]))
    return both_sides(transformers.MarianTokenizer.from_pretrained(folder), texts)


def marian_apart(folder, texts):
    first, second = marian_sides(folder)
    put(folder, "vocab.json", table(first))
    both = table(second)
    pad = len(table(first)) - 1
    put(folder, "target_vocab.json", {**both, "<pad>": pad})
    options = {"separate_vocabs": True, "model_max_length": 512}
    put(folder, "tokenizer_config.json", options)
    return both_sides(transformers.MarianTokenizer.from_pretrained(folder), texts)


def pegasus(folder, texts):
    special = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    train(
        folder / "spiece.model",
        CORPUS,
        eos_piece="</s>",
        pad_piece="<pad>",
        user_defined_symbols=["<n>"],
        **special,
    )
    put(folder, "tokenizer_config.json", {"tokenizer_class": "PegasusTokenizer"})
    return exactly(folder / "spiece.model", texts, 103, lambda row: [*row, 1])


def mbart(folder, texts, is_50=False):
    processor = train(folder / "sentencepiece.bpe.model", CORPUS)
    name = "MBart50Tokenizer" if is_50 else "MBartTokenizer"
    options = {"tokenizer_class": name, "src_lang": "fr_XX", "tgt_lang": "de_DE"}
    put(folder, "tokenizer_config.json", options)
    # A piece more for fairseq's four tokens.
    french, german = len(processor) + 1 + 7, len(processor) + 1 + 2
    frames = [lambda row: [*row, 2, french], lambda row: [*row, 2]]
    if is_50:
        frames = [lambda row: [french, *row, 2], lambda row: [german, *row, 2]]
    path = folder / "sentencepiece.bpe.model"
    found, written = (exactly(path, texts, 1, frame) for frame in frames)
    return {**found, "written": written["ids"], "languages": [french, german]}


def exactly(path, texts, offset, frame):
    """What SentencePiece itself says, of texts without special tokens; `None` else."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    unknown = 3 if offset == 1 else processor.unk_id() + offset
    special = ("<pad>", "</s>", "<unk", "<s>", "<mask", "_XX", "_DE")
    found = []
    for text in texts:
        row = [
            unknown if index == processor.unk_id() else index + offset
            for index in processor.encode(text)
        ]
        plain = not any(token in text for token in special)
        found.append(frame(row) if plain else None)
    return {"ids": found}


def m2m100(folder, texts):
    processor = train(folder / "sentencepiece.bpe.model", CORPUS, model_type="bpe")
    known = [text for text in pieces(processor)[3:] if len(text) != 3]
    texts_ = ["<s>", "<pad>", "</s>", "<unk>", *known]
    put(folder, "vocab.json", {text: index for index, text in enumerate(texts_)})
    codes = tokenization_m2m_100.FAIRSEQ_LANGUAGE_CODES["m2m100"]
    options = {
        "tokenizer_class": "M2M100Tokenizer",
        "src_lang": "fr",
        "tgt_lang": "de",
        "additional_special_tokens": [f"__{code}__" for code in codes],
    }
    put(folder, "tokenizer_config.json", options)
    return both_sides(transformers.M2M100Tokenizer.from_pretrained(folder), texts)


def nllb(folder, texts):
    train(folder / "sentencepiece.bpe.model", CORPUS, model_type="bpe")
    options = {
        "tokenizer_class": "NllbTokenizer",
        "src_lang": "fra_Latn",
        "tgt_lang": "deu_Latn",
        "additional_special_tokens": NLLB,
    }
    put(folder, "tokenizer_config.json", options)
    path = folder / "sentencepiece.bpe.model"
    first = len(sentencepiece.SentencePieceProcessor(model_file=str(path))) + 1
    french, german = first + 2, first
    special = lambda code: lambda row: [code, *row, 2]  # noqa: E731
    found, written = (exactly(path, texts, 1, special(c)) for c in (french, german))
    found["ids"] = [
        None if "_Latn" in text else row
        for text, row in zip(texts, found["ids"], strict=True)
    ]
    return {**found, "written": None, "languages": [french, german]} | {
        "written": [
            None if "_Latn" in text else row
            for text, row in zip(texts, written["ids"], strict=True)
        ]
    }


def as_json(name, found):
    """tokenizer.json as transformers writes it of such files, and what it says."""
    kinds = {
        "pegasus": transformers.PegasusTokenizer,
        "mbart": transformers.MBartTokenizer,
        "mbart50": transformers.MBart50Tokenizer,
        "nllb": transformers.NllbTokenizer,
    }
    theirs = kinds[name].from_pretrained(FILES / name)
    folder = FILES / f"{name}_json"
    theirs.save_pretrained(folder)
    texts = found["texts"]
    again = transformers.TokenizersBackend.from_pretrained(folder)
    answer = said(again, texts)
    pairs = zip(texts, found[name]["ids"], answer["ids"], strict=True)
    other = [text for text, own, row in pairs if own not in (None, row)]
    print(name, len(again), f"{len(other)} texts otherwise:", other[:8])
    return answer


WRITERS = {
    "marian": marian,
    "marian_apart": marian_apart,
    "pegasus": pegasus,
    "mbart": mbart,
    "mbart50": lambda folder, texts: mbart(folder, texts, True),
    "m2m100": m2m100,
    "nllb": nllb,
}

# Run by itself, because torch and TensorFlow may not share a process.
REWRITE = """
import pathlib, sys
sys.path.insert(0, sys.argv[2])
import translators
for name in translators.FAMILY_OF:
    place = pathlib.Path(sys.argv[1], name)
    translators.tiny(name).save_to_preset(place, format="huggingface")
"""


def check():
    """Lets us rewrite all folders, and transformers read what they say of texts."""
    known = json.loads((FILES / "ids.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as place:
        here = pathlib.Path(__file__).parent
        command = [sys.executable, "-c", REWRITE, place, here]
        subprocess.run(command, check=True)
        for name in {**WRITERS, **dict.fromkeys(JSONS)}:
            theirs = transformers.AutoTokenizer.from_pretrained(f"{place}/{name}")
            for text, row in zip(known["texts"], known[name]["ids"], strict=True):
                if row is not None:
                    assert theirs(text)["input_ids"] == row, (name, text)
            if "M" in type(theirs).__name__:
                for text, row in zip(
                    known["texts"], known[name]["written"], strict=True
                ):
                    got = theirs(text_target=text)["input_ids"]
                    assert row in (None, got), (name, text)
            print(name, type(theirs).__name__, theirs.special_tokens_map)


if __name__ == "__main__":
    main()
