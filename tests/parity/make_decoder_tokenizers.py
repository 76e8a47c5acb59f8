"""Writes tests/parity/files/decoder_tokenizers: tokenizer.json as decoders have them.

Needs transformers:

    python tests/parity/make_decoder_tokenizers.py
"""

import json
import pathlib
import shutil

import tokenizers as core_library
import transformers
from make_encoder import CORPUS, TEXTS
from tokenizers import (
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

FILES = pathlib.Path(__file__).parent / "files/decoder_tokenizers"
MORE = [
    "  two blanks, three   and four    .",
    "\ttab first\n\n\nthree lines\r\n\r\n  and blanks \n",
    "Zahlen 1234567890 und 12,345.67 ٣٤٥ Ⅻ",
    "👨\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 \U0001f1e9\U0001f1ea\U0001f1ef\U0001f1f5",
    "<s>a</s> <|im_start|>user\nhi<|im_end|>\n<start_of_turn>b<end_of_turn>",
    "<|eot_id|> mid<|eot_id|>dle <|end|>  after",
    "\u2581 already \u2581\u2581 there",
    "nul \x00 end",
]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = LLAMA3.replace("{1,3}", "")


def main():
    shutil.rmtree(FILES, ignore_errors=True)
    found = {"texts": [*TEXTS, *MORE]}
    for name, write in WRITERS.items():
        folder = FILES / name
        folder.mkdir(parents=True)
        core, options = write()
        core.save(str(folder / "tokenizer.json"))
        if name in TEMPLATES:
            options["chat_template"] = TEMPLATES[name]
        (folder / "tokenizer_config.json").write_text(json.dumps(options), "utf-8")
        # As the file has it. The classes of transformers 5 build some tokenizers anew,
        # and then read other ids: what they make of these texts is printed.
        theirs = transformers.TokenizersBackend.from_pretrained(folder)
        ids = [theirs(text)["input_ids"] for text in found["texts"]]
        found[name] = {
            "ids": ids,
            "decoded": [theirs.decode(row, skip_special_tokens=True) for row in ids],
        }
        if name in TEMPLATES:
            found[name]["chats"] = [said(theirs, chat) for chat in CHATS]
        anew = transformers.AutoTokenizer.from_pretrained(folder)
        other = [
            text
            for text, row in zip(found["texts"], ids, strict=True)
            if anew(text)["input_ids"] != row
        ]
        print(name, core.get_vocab_size(), type(anew).__name__, len(other), other[:6])
    (FILES / "ids.json").write_text(json.dumps(found), "utf-8")


def said(tokenizer, chat):
    """A conversation as text and tokens, without and with the cue for an answer."""
    found = []
    for cue in (False, True):
        text = tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=cue
        )
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=cue)[
            "input_ids"
        ]
        found.append({"text": text, "ids": ids})
    return found


def byte_level(expression, normalizer=None, digits=False, ignore_merges=False):
    core = core_library.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        core.normalizer = normalizer
    if digits:
        first = pre_tokenizers.Digits(individual_digits=True)
        second = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        first = pre_tokenizers.Split(Regex(expression), behavior="isolated")
        second = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([first, second])
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet)
    )
    return core


def special(*texts, **flags):
    return [AddedToken(text, special=True, normalized=False, **flags) for text in texts]


def llama3():
    core = byte_level(LLAMA3, ignore_merges=True)
    core.add_special_tokens(
        special("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>")
    )
    begin = core.token_to_id("<|begin_of_text|>")
    frame = processors.TemplateProcessing(
        single="<|begin_of_text|> $A",
        pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
        special_tokens=[("<|begin_of_text|>", begin)],
    )
    core.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False), frame]
    )
    return core, {
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 131072,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def qwen2():
    core = byte_level(QWEN, normalizers.NFC())
    core.post_processor = processors.ByteLevel(trim_offsets=False)
    core.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    return core, {
        "add_bos_token": False,
        "add_prefix_space": False,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 32768,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def smollm():
    core = byte_level(None, digits=True)
    core.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    return core, {
        "add_prefix_space": False,
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "tokenizer_class": "GPT2Tokenizer",
        "vocab_size": 330,
    }


def with_bytes(names, before, blank):
    """BPE of characters, which spells what it lacks in bytes."""
    core = core_library.Tokenizer(
        models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    core.normalizer = normalizers.Sequence(before)
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    if blank:
        core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    core.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=420, special_tokens=[*names, *bytes_])
    )
    content = json.loads(core.to_str())  # bytes are no special tokens
    content["added_tokens"] = [
        token for token in content["added_tokens"] if token["content"] in names
    ]
    return core_library.Tokenizer.from_str(json.dumps(content))


def start(core, token):
    core.post_processor = processors.TemplateProcessing(
        single=f"{token} $A",
        pair=f"{token} $A {token} $B",
        special_tokens=[(token, core.token_to_id(token))],
    )


def llama2():
    core = with_bytes(
        ["<unk>", "<s>", "</s>"],
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")],
        False,
    )
    core.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    start(core, "<s>")
    return core, {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": None,
        "clean_up_tokenization_spaces": False,
        "legacy": False,
        "model_max_length": 1000000000000000019884624838656,
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
        "use_default_system_prompt": False,
    }


def phi3():
    core, options = llama2()
    core.add_special_tokens(special("<|end|>", "<|user|>", rstrip=True))
    return core, options | {"eos_token": "<|end|>", "pad_token": "<|end|>"}


def gemma():
    core = with_bytes(
        ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"],
        [normalizers.Replace(" ", "\u2581")],
        True,
    )
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    start(core, "<bos>")
    return core, {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1000000000000000019884624838656,
        "sp_model_kwargs": None,
        "spaces_between_special_tokens": False,
        "tokenizer_class": "GemmaTokenizer",
        "use_default_system_prompt": False,
    }


# In the manner of published ones: a default system prompt, a header a turn, one role
# that is called otherwise and no system prompt but in the first question.
TEMPLATES = {
    "qwen2": """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' }}
        {{- message.content + '<|im_end|>\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set said = message.content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>' + message.role + '\\n' + said + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}""",
    "llama3": """{% set loop_messages = messages %}{% for message in loop_messages %}
{% set content = message['content'] | trim + '<|eot_id|>' %}
{% set content = '[' + message['role'] + ']\\n\\n' + content %}
{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}
{{- content }}{% endfor %}
{% if add_generation_prompt %}{{ '[assistant]\\n\\n' }}{% endif %}""",
    "gemma": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}{{ item['text'] | trim }}{%- endfor -%}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\\n' }}
{%- endif -%}
""",
    "phi3": """{{ bos_token }}{% for message in messages %}
{{- '<|' + message['role'] + '|>' + '\\n' +
message['content'] + '<|end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}""",
}
QUESTION = {"role": "user", "content": " the cat saw 12 dogs 😀 "}
ANSWER = {"role": "assistant", "content": "in the old house"}
CHATS = (
    [QUESTION],
    [QUESTION, ANSWER],
    [{"role": "system", "content": "be brief"}, QUESTION, ANSWER, QUESTION],
)
WRITERS = {
    "llama3": llama3,
    "qwen2": qwen2,
    "smollm": smollm,
    "llama2": llama2,
    "phi3": phi3,
    "gemma": gemma,
}

if __name__ == "__main__":
    main()
