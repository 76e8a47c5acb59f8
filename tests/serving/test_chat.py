"""A chat writes turns as its model reads them, forgets the oldest, ends on `quit`."""

import keras
import pytest

from keras_genai.data import tokenizers
from keras_genai.data.turns import BLENDERBOT, CHATML, INSTRUCTION, PLAIN
from keras_genai.modalities.text import Text
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.samplers import Beam, GenerationSettings, Greedy
from keras_genai.serving import Chat, terminal
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM


class Parrot:
    """Stands for a causal model: answers with the number of its answer."""

    name = "parrot"
    turns = PLAIN

    def __init__(self, context=40):
        self.context = context
        self.tokenizer = tokenizers.byte_level()
        self.calls = []

    def generate(self, prompt, stream, **arguments):
        self.tokenizer.encode(prompt)
        self.calls.append((prompt, arguments))
        pieces = [" no", ".", str(len(self.calls))]
        return iter(pieces) if stream else "".join(pieces)


def test_turns_are_written_as_each_model_was_trained():
    said = [("person", "Hi {}"), ("model", "Hello"), ("person", "Bye")]
    assert PLAIN.text(said) == "User: Hi {}\nBot: Hello\nUser: Bye\nBot:"
    assert BLENDERBOT.text(said) == " Hi {}   Hello   Bye"
    assert INSTRUCTION.text(said).endswith("Assistant: Hello Person: Bye Assistant:")
    assert CausalLM.turns is PLAIN
    assert Seq2SeqLM.turns is INSTRUCTION


def test_an_answer_is_streamed_remembered_and_used_in_the_next_prompt():
    model = Parrot(context=400)
    chat = Chat(model, reply_length=10)
    assert list(chat.stream("  how are   you ")) == ["no", ".", "1"]
    assert chat.say("why") == "no.2"
    assert chat.history[:2] == [("person", "how are you"), ("model", "no.1")]
    prompt, arguments = model.calls[1]
    assert prompt == "User: how are you\nBot: no.1\nUser: why\nBot:"
    assert arguments["max_length"] == len(prompt) + 10
    assert arguments["stop"] == PLAIN.stop
    assert arguments["strip_prompt"]
    assert model.calls[0][1]["seed"] != arguments["seed"]
    chat.reset()
    chat.say("why")
    assert model.calls[2][0] == "User: why\nBot:"


def test_an_answer_ends_where_the_model_learned_to_end_it():
    model = Parrot(context=400)
    model.tokenizer = model.tokenizer.with_tokens(CHATML.tokens)
    chat = Chat(model, turns=CHATML, reply_length=10, system="Be\nkind.<|im_end|>")
    chat.say("hi<|im_start|>")
    chat.say("why")
    prompt, arguments = model.calls[1]
    assert arguments["stop"] == (257,)
    assert prompt == CHATML.text(
        [
            ("system", "Be\nkind."),
            ("person", "hi"),
            ("model", "no.1"),
            ("person", "why"),
        ]
    )
    chat.history *= 20
    assert chat.prompt("so").startswith(CHATML.system.replace("{}", "Be\nkind."))
    model.tokenizer = tokenizers.Tokenizer(model.tokenizer.core)
    with pytest.raises(ValueError, match="`turns` must be for a tokenizer that reads"):
        Chat(model, turns=CHATML)


def test_the_oldest_turns_are_forgotten_by_tokens():
    model = Parrot(context=50)
    chat = Chat(model, reply_length=10)
    for number in range(5):
        chat.say(f"question {number}")
        prompt = model.calls[-1][0]
        assert len(model.tokenizer.encode(prompt)) <= 40
        assert prompt.endswith(f"User: question {number}\nBot:")
    assert "Bot: no.4" in prompt
    assert "question 3" not in prompt
    assert len(chat.history) == 10


@pytest.mark.parametrize("text", ["one two three four " * 10 + "end", "x" * 90 + "end"])
def test_of_a_turn_that_is_too_long_the_end_is_read(text):
    model = Parrot(context=50)
    Chat(model, reply_length=10).say(text)
    prompt = model.calls[0][0]
    assert len(prompt) <= 40
    assert prompt.endswith("end\nBot:")


def test_a_long_history_and_a_long_turn_are_hardly_read():
    """As much is encoded as a few prompts have, however much was said."""
    model = Parrot(context=50)
    chat = Chat(model, reply_length=10)
    encoded = []

    class Counting:
        def without_special(self, text):
            return text

        def encode(self, text, encode=model.tokenizer.encode):
            encoded.append(len(text))
            return encode(text)

    model.tokenizer = Counting()
    chat.history = [("person", f"question {number}") for number in range(5000)]
    prompt = chat.prompt("so")
    assert prompt == "User: question 4999\nUser: so\nBot:"
    assert sum(encoded) < 1000
    encoded.clear()
    assert chat.prompt("a" + " word" * 5000).endswith(" word\nBot:")
    assert sum(encoded) < 3 * 25_000


@pytest.mark.parametrize("text", [5, None, ["hi"]])
def test_only_text_can_be_said(text):
    with pytest.raises(TypeError, match=r"`text` must be a str\. Received"):
        Chat(Parrot(), reply_length=5).say(text)


@pytest.mark.parametrize(
    "arguments", [{"reply_length": "5"}, {"sampler": 3}, {"seed": 1.5}]
)
def test_bad_arguments_name_themselves(arguments):
    (name,) = arguments
    with pytest.raises(TypeError, match=rf"`{name}` must be .* Received: {name}="):
        Chat(Parrot(), **arguments)


def test_what_cannot_be_said_leaves_the_history_alone():
    model = Parrot()
    model.tokenizer = tokenizers.characters("User: Bot\nhi")
    chat = Chat(model, reply_length=5)
    for text in ("", "  ", "zzz"):
        with pytest.raises(ValueError, match="`text`"):
            chat.say(text)
    assert chat.history == []
    model.tokenizer = None
    with pytest.raises(ValueError, match="tokenizer"):
        Chat(model)
    with pytest.raises(ValueError, match="leave room"):
        Chat(Parrot(context=10), reply_length=10)


def test_nobody_ends_a_turn_by_spelling_a_special_token():
    model = Parrot(context=400)
    core = tokenizers.bpe(["User: Bot"], 300, "<t>", "<s a>", "</s>").core
    model.tokenizer = tokenizers.Tokenizer.from_json(core.to_str())  # a published one
    chat = Chat(model, reply_length=5)
    chat.history = [("person", "old</s>"), ("model", "<s a>no")]
    chat.say("hi </<t>s> <<s a>t> <s  a> there")
    prompt, _ = model.calls[0]
    assert prompt == "User: old\nBot: no\nUser: hi there\nBot:"
    for text in ("</s>", "<t> </s>"):
        with pytest.raises(ValueError, match=f"Received: '{text}'"):
            chat.say(text)
    assert len(chat.history) == 4


def test_half_an_answer_is_remembered():
    chat = Chat(Parrot(), reply_length=5)
    for _ in chat.stream("hi"):
        break
    assert chat.history == [("person", "hi"), ("model", "no")]


def test_a_terminal_ends_on_quit_and_on_the_end_of_the_input(capsys):
    chat = Chat(Parrot(), reply_length=5)
    lines = iter(["hi", "", "reset", "hello", "QUIT ", "never read"])
    terminal.talk(chat, read=lambda prompt: next(lines))
    assert chat.history == [("person", "hello"), ("model", "no.2")]
    assert next(lines) == "never read"
    assert "bot> no.1\n" in capsys.readouterr().out

    def end(prompt):
        raise EOFError

    terminal.talk(chat, read=end)


def test_a_terminal_says_what_a_tokenizer_does_not_know(capsys):
    model = Parrot()
    model.tokenizer = tokenizers.characters("User: Bot\nhi")
    lines = iter(["zzz", "hi", "quit"])
    terminal.talk(Chat(model, reply_length=5), read=lambda prompt: next(lines))
    printed = capsys.readouterr().out
    assert "\n! " in printed
    assert "bot> no.1\n" in printed


@pytest.mark.slow
def test_a_model_says_in_a_chat_what_it_learned_from_conversations():
    """Marks, masks, packing, the end of an answer: all that chat and training share."""
    keras.utils.set_random_seed(0)
    known = {"who are you": "a bot", "are you well": "yes", "bye": "see you soon"}
    rows = [
        {
            "messages": [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": answer},
                {"role": "user", "content": "bye"},
                {"role": "assistant", "content": known["bye"]},
            ]
        }
        for asked, answer in known.items()
    ]
    tokenizer = tokenizers.byte_level("<pad>").with_tokens(CHATML.tokens)
    network = GPT(context=192, depth=1, width=32, num_heads=2)
    model = CausalLM(network, Text(tokenizer), turns=CHATML)
    model.compile(keras.optimizers.Adam(5e-3), jit_compile=True)
    loader = model.loader(rows * 8, batch_size=4, packed=True)
    losses = model.fit(loader, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.1
    chat = Chat(model, reply_length=40, sampler=Greedy())
    for asked, answer in known.items():
        chat.reset()
        assert chat.say(asked) == answer
        assert chat.say("bye") == known["bye"]


@pytest.mark.slow
def test_blenderbot_reads_its_own_separator_and_searches_with_its_own_settings():
    keras.utils.set_random_seed(0)
    model = Seq2SeqLM(
        EncoderDecoder(
            context=40, encoder_depth=1, decoder_depth=1, width=8, num_heads=2
        ),
        Text(tokenizers.byte_level("<pad>", "<s>", "</s>")),
        generation=GenerationSettings(max_length=24, num_beams=2),
        turns=BLENDERBOT,
    )
    model.jit_generate = False
    chat = Chat(model)
    assert isinstance(chat.sampler, Beam)
    assert chat.reply_length == 40
    chat = Chat(model, reply_length=6, sampler=Greedy())
    chat.history = [("person", "hi"), ("model", "oh")]
    assert chat.prompt("so") == " hi   oh   so"
    assert chat.room == 40
    answer = chat.say("so")
    assert chat.history[-1] == ("model", answer.strip())
