"""Clients of others, unchanged, at a server of trained models that ship."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import toy_server as toy

import zoo
from keras_genai.serving.engine import Engine
from keras_genai.serving.served import Served

KEY = "a-key-of-tests"
WRITERS = ("gpt_chat", "seq2seq_dates")
OTHERS = ("ddpm_digits", "tts_digits", "ctc_digits", "clip_emoji")
pytestmark = [
    pytest.mark.slow,
    # Those of other libraries are not ours to cure.
    pytest.mark.filterwarnings("default"),
]


def served(name):
    model = zoo.get(name).pretrained()
    found = Served(name, model)
    if found.writes:
        found.engine = Engine(model, rows=2, deterministic=True, patience=3_600)
        found.engine.warm_up()
    return found


@pytest.fixture(scope="module")
def models():
    return {name: served(name) for name in (*WRITERS, *OTHERS)}


@pytest.fixture(scope="module")
def address(models):
    app = toy.app_of(*models.values(), keys=[KEY])
    with toy.running(app) as server:
        yield f"{server.url}/v1"


@pytest.fixture(scope="module")
def client(address):
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=address, api_key=KEY, max_retries=0)


def said(text, **more):
    return dict(
        model="gpt_chat",
        messages=[{"role": "user", "content": text}],
        temperature=0,
        **more,
    )


def own(models, text):
    """What the model writes without a server, greedily."""
    from keras_genai.samplers import Greedy
    from keras_genai.serving import Chat

    return Chat(models["gpt_chat"].model, sampler=Greedy()).say(text)


def test_openai_chats(client, models):
    found = client.chat.completions.create(**said("Hello, how are you?"))
    answer = found.choices[0].message.content
    assert answer == own(models, "Hello, how are you?")
    assert found.choices[0].finish_reason == "stop"
    stream = client.chat.completions.create(
        **said("Hello, how are you?"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [*stream]
    texts = [each.choices[0].delta.content or "" for each in chunks if each.choices]
    assert "".join(texts) == answer
    assert chunks[-1].usage == found.usage


def test_openai_draws_with_seeds(client):
    asked = {**said("Tell me a joke"), "temperature": 1, "n": 3, "seed": 5}
    first, second = (client.chat.completions.create(**asked) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in second.choices]
    assert len({*texts}) > 1


def test_openai_sees_probabilities(client):
    found = client.chat.completions.create(
        **said("Hi", logprobs=True, top_logprobs=3, max_tokens=5)
    )
    content = found.choices[0].logprobs.content
    assert "".join(each.token for each in content).lstrip() == (
        found.choices[0].message.content
    )
    for each in content:  # greedy: the likeliest is the one
        assert each.top_logprobs[0].token == each.token
        assert each.top_logprobs[0].logprob == each.logprob


def test_openai_stops_where_it_is_told(client):
    whole = client.chat.completions.create(**said("Hello, how are you?"))
    text = whole.choices[0].message.content
    word = text.split()[2]
    for stream in (False, True):
        found = client.chat.completions.create(
            **said("Hello, how are you?", stop=[word], stream=stream)
        )
        cut = (
            "".join(each.choices[0].delta.content or "" for each in found)
            if stream
            else found.choices[0].message.content
        )
        assert cut == text[: text.index(word)]


def test_a_bias_forbids_a_token(client, models):
    whole = client.chat.completions.create(**said("Hello, how are you?", max_tokens=1))
    (token, *_) = models["gpt_chat"].model.tokenizer.encode(
        whole.choices[0].message.content
    )
    other = client.chat.completions.create(
        **said("Hello, how are you?", max_tokens=1, logit_bias={str(token): -100})
    )
    assert other.choices[0].message.content != whole.choices[0].message.content


def test_openai_completes_and_translates(client):
    found = client.completions.create(
        model="seq2seq_dates", prompt=["5 January 2021", "3 May 1999"], temperature=0
    )
    assert [choice.text for choice in found.choices] == ["2021-01-05", "1999-05-03"]


def test_an_echo_is_scored_as_the_model_scores_it(client, models):
    found = client.completions.create(
        model="gpt_chat", prompt="how are you", max_tokens=0, echo=True, logprobs=1
    )
    score = found.choices[0].logprobs
    assert "".join(score.tokens) == found.choices[0].text == "how are you"
    assert score.token_logprobs[0] is None
    model = models["gpt_chat"].model
    tokens = model.tokenizer.encode("how are you")
    logits = np.asarray(model(tokens[None]), "float64")[0]
    logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = logprobs[np.arange(len(tokens) - 1), tokens[1:]]
    np.testing.assert_allclose(score.token_logprobs[1:], expected, atol=1e-5)


def test_openai_draws_hears_and_speaks(client, models):
    found = client.images.generate(
        model="ddpm_digits", prompt="7", n=2, extra_body={"seed": 1, "steps": 5}
    )
    assert all(each.b64_json for each in found.data)
    speech = client.audio.speech.create(
        model="tts_digits", input="four two", voice="default", extra_body={"seed": 0}
    )
    heard = client.audio.transcriptions.create(
        model="ctc_digits", file=("a.wav", speech.content)
    )
    assert heard.text


def test_openai_embeds(client, models):
    texts = ["woman cook", "man firefighter"]
    expected = models["clip_emoji"].model.embed(texts)
    for kind in ({}, {"encoding_format": "float"}):
        found = client.embeddings.create(model="clip_emoji", input=texts, **kind)
        vectors = [each.embedding for each in found.data]
        np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_openai_understands_refusals(client):
    import openai

    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            **said("x", response_format={"type": "json_object"})
        )
    assert refused.value.param == "response_format.type"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**{**said("x"), "model": "gpt-4"})
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**said("word " * 500))
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="another-key").models.list()
    assert client.models.retrieve("gpt_chat").id == "gpt_chat"


def test_langchain_of_openai(address):
    langchain = pytest.importorskip("langchain_openai")
    known = dict(base_url=address, api_key=KEY, max_retries=0)
    chat = langchain.ChatOpenAI(model="gpt_chat", temperature=0, **known)
    answer = chat.invoke("Hello, how are you?").content
    assert (
        "".join(each.content for each in chat.stream("Hello, how are you?")) == answer
    )
    texts = langchain.OpenAI(model="gpt_chat", temperature=0, max_tokens=4, **known)
    assert texts.invoke("how are")
    vectors = langchain.OpenAIEmbeddings(
        model="clip_emoji", check_embedding_ctx_length=False, **known
    )
    assert len(vectors.embed_query("woman cook")) == 64
    tool = {"name": "f", "description": "d", "parameters": {}}
    with pytest.raises(Exception, match="tools"):
        chat.bind_tools([tool]).invoke("hi")


def test_litellm(address):
    litellm = pytest.importorskip("litellm")
    for kind in ("openai", "hosted_vllm"):
        found = litellm.completion(
            model=f"{kind}/gpt_chat",
            messages=[{"role": "user", "content": "Hi"}],
            temperature=0,
            api_base=address,
            api_key=KEY,
        )
        assert found.choices[0].message.content


def test_llm(address, tmp_path):
    pytest.importorskip("llm")
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: ours\n  model_name: gpt_chat\n  api_base: {address}\n"
        "  api_key_name: ours\n",
        "utf-8",
    )
    (tmp_path / "keys.json").write_text(f'{{"ours": "{KEY}"}}', "utf-8")
    environment = {"LLM_USER_PATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-m", "llm", "-m", "ours", "-o", "temperature", "0", "Hi"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip()


def test_the_schema_is_kept_whatever_is_sent(address, tmp_path):
    pytest.importorskip("schemathesis")
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    found = subprocess.run(
        [
            *(program, "run", address.replace("/v1", "/openapi.json")),
            *("--header", f"Authorization: Bearer {KEY}", "--max-examples", "20"),
            *("--checks", "not_a_server_error,status_code_conformance"),
            *("--checks", "content_type_conformance,response_schema_conformance"),
            *("--seed", "1", "--request-timeout", "120"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
