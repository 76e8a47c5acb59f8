"""Models in LangChain; its own standard tests are asked."""

import pathlib
import sys

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

import zoo
from keras_genai.data import tokenizers
from keras_genai.data.turns import PLAIN
from keras_genai.integrations.langchain import ChatKerasGenAI, KerasGenAIEmbeddings
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.language import CausalLM

standard = pytest.importorskip("langchain_tests.integration_tests")
units = pytest.importorskip("langchain_tests.unit_tests")
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "guides" / "langchain.md"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def tiny():
    network = GPT(context=512, depth=1, width=16, num_heads=2)
    return CausalLM(network, Text(tokenizers.byte_level()), turns=PLAIN, name="tiny")


MODEL = None


def shared():
    """One model for all tests, so that it is compiled once."""
    global MODEL
    MODEL = MODEL or tiny()
    return MODEL


class Chatting:
    """What both kinds of standard tests are told of the model."""

    @property
    def chat_model_class(self):
        return ChatKerasGenAI

    @property
    def chat_model_params(self):
        return {"model": shared(), "seed": 0}

    # Texts alone are read and written.
    has_tool_calling = property(lambda self: False)
    has_structured_output = property(lambda self: False)
    supports_image_inputs = property(lambda self: False)


class TestChatUnits(Chatting, units.ChatModelUnitTests):
    pass


class TestChat(Chatting, standard.ChatModelIntegrationTests):
    @property
    def chat_model_params(self):
        return {**super().chat_model_params, "max_tokens": 8}


class Embedding:
    """The same of vectors."""

    @property
    def embeddings_class(self):
        return KerasGenAIEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": zoo.get("clip_emoji").pretrained()}


class TestEmbeddingsUnits(Embedding, units.EmbeddingsUnitTests):
    pass


class TestEmbeddings(Embedding, standard.EmbeddingsIntegrationTests):
    pass


def test_a_conversation_is_written_as_the_model_was_trained():
    chat = ChatKerasGenAI(model=shared(), max_tokens=6, seed=3)
    messages = [SystemMessage("Be kind."), HumanMessage("hi"), AIMessage("ho")]
    messages.append(HumanMessage([{"type": "text", "text": "so"}]))
    prompt = "Be kind.\nUser: hi\nBot: ho\nUser: so\nBot:"
    found = chat.invoke(messages)
    length = len(shared().tokenizer.encode(prompt))
    own = shared().generate(
        prompt, length + 6, seed=3, stop=PLAIN.stop, strip_prompt=True
    )
    assert found.content == own.lstrip()
    assert found.usage_metadata["input_tokens"] == length
    streamed = [chunk.content for chunk in chat.stream(messages)]
    assert "".join(streamed) == found.content
    assert [m.content for m in chat.batch([messages] * 5)] == [found.content] * 5
    chat.close()


def test_what_cannot_be_honoured_is_refused():
    chat = ChatKerasGenAI(model=shared(), max_tokens=6)
    with pytest.raises(ValueError, match="`tools` must be left out"):
        chat.invoke("hi", tools=[{}])
    with pytest.raises(ValueError, match="`messages` must be texts"):
        chat.invoke([HumanMessage("a"), ToolMessage("b", tool_call_id="1")])
    image = {"type": "image_url", "image_url": {"url": "x"}}
    with pytest.raises(ValueError, match="`messages` must be texts"):
        chat.invoke([HumanMessage([image])])
    with pytest.raises(NotImplementedError):
        chat.bind_tools([])
    with pytest.raises(ValueError, match="must make vectors of texts"):
        KerasGenAIEmbeddings(shared())
    with pytest.raises(ValueError, match="one that chats"):
        ChatKerasGenAI(model=zoo.get("clip_emoji").pretrained())
    chat.close()


def test_a_text_that_is_too_long_is_cut_only_if_that_is_said():
    model = zoo.get("clip_emoji").pretrained()
    text = "face, " * 100
    with pytest.raises(ValueError, match="tokens"):
        KerasGenAIEmbeddings(model).embed_query(text)


def test_the_guide_does_what_it_says(monkeypatch):
    monkeypatch.syspath_prepend(pathlib.Path(__file__).parents[1] / "docs")
    from documents import blocks

    found = [block for block in blocks(PAGE) if block.language == "python"]
    namespace = {"__name__": "__main__"}
    for block in found:
        if "ChatOpenAI" not in block.code:
            exec(compile(block.code, PAGE, "exec"), namespace)
    assert "langchain_core" in sys.modules
    assert namespace["answer"]
    assert "woman" in namespace["found"][0].page_content
