"""Writes tiny Whisper checkpoints and what transformers answers to them.

Run: python tests/parity/make_whisper.py   (needs torch and transformers)

For each case below it writes `files/whisper/NAME/`, a folder as transformers saves it,
and in it `reference.npz`: waves, spectrograms, logits, languages, and the tokens of
several ways to decode. `test_whisper_parity.py` compares them with ours and needs
neither.
"""

import json
import pathlib
import shutil
import warnings

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import decoders, models

FILES = pathlib.Path(__file__).parent / "files" / "whisper"
LETTERS = " abcdefghijklmnopqrstuvwxyz.,?'"
SPECIAL = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|fr|>"),
    *("<|translate|>", "<|transcribe|>", "<|nospeech|>", "<|notimestamps|>"),
)
END, START, EN, DE, FR, TRANSLATE, TRANSCRIBE, _, UNTIMED = range(
    len(LETTERS), len(LETTERS) + len(SPECIAL)
)
TIMES = 3  # tokens of times behind them, as in published vocabularies
CONFIG = dict(
    vocab_size=len(LETTERS) + len(SPECIAL) + TIMES,
    num_mel_bins=8,
    max_source_positions=25,
    max_target_positions=20,
    d_model=12,
    encoder_layers=2,
    decoder_layers=1,
    encoder_attention_heads=2,
    decoder_attention_heads=3,
    encoder_ffn_dim=20,
    decoder_ffn_dim=16,
    init_std=0.4,
    pad_token_id=END,
    bos_token_id=END,
    eos_token_id=END,
    decoder_start_token_id=START,
)
DECODING = dict(
    max_length=20,
    return_timestamps=False,
    no_timestamps_token_id=UNTIMED,
    suppress_tokens=[3, 4, *range(START, len(LETTERS) + len(SPECIAL) + TIMES)],
    begin_suppress_tokens=[0, END],
    decoder_start_token_id=START,
    bos_token_id=END,
    eos_token_id=END,
    pad_token_id=END,
)
CASES = {
    "whisper": (
        CONFIG,
        dict(
            DECODING,
            is_multilingual=True,
            lang_to_id={"<|en|>": EN, "<|de|>": DE, "<|fr|>": FR},
            task_to_id={"transcribe": TRANSCRIBE, "translate": TRANSLATE},
        ),
    ),
    "whisper_english": (
        {
            **CONFIG,
            "encoder_layers": 1,
            "decoder_layers": 2,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 20,
            "activation_function": "relu",
        },
        dict(
            DECODING,
            is_multilingual=False,
            forced_decoder_ids=[[1, UNTIMED]],
        ),
    ),
}
# What the model is asked for; a language that is not named is detected.
ASKED = {
    "whisper": {
        "detected": dict(task="transcribe"),
        "german": dict(language="de", task="transcribe"),
        "translated": dict(language="fr", task="translate"),
        "beam": dict(language="fr", task="transcribe", num_beams=3),
    },
    "whisper_english": {"greedy": dict(), "beam": dict(num_beams=3)},
}


def main():
    shutil.rmtree(FILES, ignore_errors=True)
    for number, (name, (config, decoding)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        model = transformers.WhisperForConditionalGeneration(
            transformers.WhisperConfig(**config)
        ).eval()
        loosen(model)
        model.generation_config = transformers.GenerationConfig(**decoding)
        model.save_pretrained(FILES / name)
        extractor = transformers.WhisperFeatureExtractor(
            feature_size=config["num_mel_bins"], hop_length=320, chunk_length=1
        )
        extractor.save_pretrained(FILES / name)
        write_tokenizer(FILES / name)
        kind = transformers.WhisperForConditionalGeneration
        model = kind.from_pretrained(FILES / name).eval()
        np.savez(FILES / name / "reference.npz", **reference(name, model, extractor))


def loosen(model):
    """Away from the initial zeros and ones, so that every weight counts."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "encoder.embed_positions" not in name:
                parameter += 0.1 * torch.randn_like(parameter)
            if "decoder.embed_positions" in name:
                parameter *= 4  # texts that do not say the same word all the time


def write_tokenizer(folder):
    vocabulary = {letter: index for index, letter in enumerate(LETTERS)}
    core = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.decoder = decoders.Fuse()
    core.add_special_tokens(list(SPECIAL))
    core.add_tokens([f"<|{0.02 * index:.2f}|>" for index in range(TIMES)])
    core.save(str(folder / "tokenizer.json"))
    roles = dict.fromkeys(("bos_token", "eos_token", "pad_token"), "<|endoftext|>")
    roles["tokenizer_class"] = "WhisperTokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))


def reference(name, model, extractor):
    draws = np.random.default_rng(0)
    # A second, and less than that, which is followed by silence.
    waves = [draws.uniform(-0.5, 0.5, size).astype("float32") for size in (16000, 9000)]
    mels = extractor(waves, sampling_rate=16000, return_tensors="pt").input_features
    targets = draws.integers(0, END, (2, 7))
    with torch.no_grad():
        output = model(
            input_features=mels, decoder_input_ids=torch.tensor(targets)
        ).logits
    found = {
        "wave_0": waves[0],
        "wave_1": waves[1],
        "mels": mels.numpy().transpose(0, 2, 1),
        "targets": targets.astype("int32"),
        "logits": output.numpy(),
    }
    if name == "whisper":
        with torch.no_grad():
            found["languages"] = model.detect_language(mels).numpy()
    for way, settings in ASKED[name].items():
        rows = decoded(model, mels, settings)
        print(name, way, rows)
        for row, tokens in enumerate(rows):
            found[f"{way}_{row}"] = np.array(tokens, "int32")
    return found


def decoded(model, mels, settings):
    """The tokens of each text, without prompt and end."""
    rows = []
    for mel in mels:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ids = model.generate(
                input_features=mel[None],
                attention_mask=torch.ones((1, mel.shape[-1]), dtype=torch.long),
                do_sample=False,
                return_timestamps=False,
                **settings,
            )[0].tolist()
        rows.append([token for token in ids if token < END])
    return rows


if __name__ == "__main__":
    main()
