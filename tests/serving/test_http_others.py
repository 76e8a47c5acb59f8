"""Pictures, sounds and vectors over HTTP; which of them a model has, its kinds say."""

import base64
import io
import types

import numpy as np
import PIL.Image
import pytest
import toy_server as toy

from keras_genai.data import tokenizers
from keras_genai.files.wav import decode_wav, encode_wav
from keras_genai.modalities.image import Image
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.notes import Notes
from keras_genai.modalities.number import Number
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.speech import Speech
from keras_genai.modalities.text import Label, Text
from keras_genai.modalities.vector import Vector
from keras_genai.serving import abilities
from keras_genai.serving.served import Served
from keras_genai.tasks.codec import PictureCodec
from keras_genai.tasks.contrastive import Contrastive
from keras_genai.tasks.embedding import SentenceEmbedder

RATE = 8_000
TEXT = Text(tokenizers.byte_level(), length=40)
MEL = dict(rate=RATE, window=256, hop=64, bands=8)
PICTURES, VECTORS = "/v1/images/generations", "/v1/embeddings"
SPEECH, TRANSCRIPTS = "/v1/audio/speech", "/v1/audio/transcriptions"


class Model:
    """Makes something of something, and remembers what it was asked for."""

    name = "toy"
    longest_text = 40

    def __init__(self, makes, *given):
        self.makes = self.target = makes
        self.given = given
        self.tokenizer = next(
            (kind.tokenizer for kind in (makes, *given) if hasattr(kind, "tokenizer")),
            None,
        )
        self.asked = None

    def embed(self, texts):
        return np.array([[len(text), 0.5] for text in texts], "float32")

    def count_tokens(self, texts):
        return [len(text) for text in texts]

    def speak(self, prompts, speakers=None, speed=1.0, seed=0):
        self.asked = dict(prompts=prompts, speakers=speakers, speed=speed, seed=seed)
        if "!" in prompts[0]:
            raise ValueError("`prompts` must be of letters. Received: '!'")
        return [np.linspace(-0.5, 0.5, 100, dtype="float32")]


class Painter(Model):
    def generate(self, count=16, seed=0, steps=3, guidance=1.0, **given):
        self.asked = dict(count=count, seed=seed, steps=steps, guidance=guidance)
        self.asked |= given
        return np.full((count, 4, 6, 3), 0.5, "float32")


class Listener(Model):
    def transcribe(self, sounds, decoder=None):
        wave, _ = decode_wav(sounds.read_bytes())
        return f" {len(wave)}  samples"


def client_of(model, **limits):
    return toy.client_of(Served("toy", model), **limits)


def refused(response, param):
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param
    return response.json()["error"]


@pytest.mark.parametrize(
    ("makes", "given", "found"),
    [
        (Text(TEXT.tokenizer, generated=True), [TEXT], {"chat", "completions"}),
        (Text(TEXT.tokenizer), [TEXT], set()),  # BERT fills gaps
        (Text(generated=True), [Text()], set()),  # tokens without a tokenizer
        (Vector(), [TEXT], {"embeddings"}),
        (Vector(), [Text()], set()),
        (Image((4, 6, 3)), [], {"images"}),
        (Image((4, 6, 3)), [Label(3)], {"images"}),
        (Image((4, 6, 3)), [TEXT], {"images"}),
        (Image((4, 6, 3)), [Image((4, 6, 3), key="sources")], set()),
        (Speech(**MEL), [TEXT], {"speech"}),
        (Speech(**MEL), [TEXT, Speaker(2)], {"speech"}),
        (Text(TEXT.tokenizer), [Mel(**MEL)], {"transcriptions"}),
        (Text(TEXT.tokenizer, generated=True), [Mel(**MEL)], {"transcriptions"}),
        (Text(TEXT.tokenizer, generated=True), [Image((4, 6, 3))], set()),
        (Number("reward"), [TEXT], set()),
        (Label(2), [TEXT], set()),
        (Notes(voices=4), [], set()),
        (None, [], set()),
    ],
)
def test_what_a_model_can_be_asked_follows_from_its_kinds(makes, given, found):
    model = Model(makes, *given) if makes is not None else None
    model = model or types.SimpleNamespace(makes=None, given=())
    assert {*abilities.abilities(model)} == found


def test_tasks_say_what_they_make_where_it_is_not_what_they_learn_from():
    assert PictureCodec.makes is None
    assert SentenceEmbedder.makes == Contrastive.makes == Vector()


def test_pictures_are_drawn():
    model = Painter(Image((4, 6, 3)), Label(3, ("cat", "dog", "Owl")))
    client = client_of(model)
    body = dict(model="toy", prompt="owl", n=2, seed=5, steps=7, guidance=2.0)
    body |= dict(size="6x4", response_format="b64_json", output_format="png")
    found = client.post(PICTURES, body).json()
    assert model.asked == dict(count=2, seed=5, steps=7, guidance=2.0, labels=2)
    assert len(found["data"]) == 2
    content = base64.b64decode(found["data"][0]["b64_json"])
    with PIL.Image.open(io.BytesIO(content)) as picture:
        assert picture.size == (6, 4)
        assert picture.getpixel((0, 0)) == (128, 128, 128)
        assert picture.text["Comment"] == "generated by a model"
    card = client.get("/v1/models/toy").json()
    assert card["classes"] == ["cat", "dog", "Owl"]
    assert (card["size"], card["prompt"]) == ("6x4", "class")


@pytest.mark.parametrize(
    ("given", "prompt", "asked"),
    [
        ([Label(3)], "2", dict(labels=2)),
        ([Label(3)], "", {}),
        ([TEXT], "a cat ", dict(prompts="a cat ")),
        ([], "", {}),
    ],
)
def test_a_prompt_is_a_class_or_a_text(given, prompt, asked):
    model = Painter(Image((4, 6, 3)), *given)
    body = dict(model="toy", prompt=prompt, seed=0)
    assert client_of(model).post(PICTURES, body).status_code == 200
    plain = dict(count=1, seed=0, steps=3, guidance=1.0)
    assert model.asked == {**plain, **asked}


@pytest.mark.parametrize(
    ("given", "asked", "param"),
    [
        ([Label(3)], dict(prompt="3"), "prompt"),
        ([Label(3)], dict(prompt="cat"), "prompt"),
        ([], dict(prompt="cat"), "prompt"),
        ([], dict(size="5x5"), "size"),
        ([], dict(size="large"), "size"),
        ([], dict(n=17), "n"),
        ([], dict(response_format="url"), "response_format"),
        ([], dict(output_format="webp"), "output_format"),
        ([], dict(temperature=0.5), "temperature"),
        ([], dict(negative_prompt="x"), "negative_prompt"),
        ([], dict(style="vivid"), "style"),
        ([], dict(stream=True), "stream"),
        ([], dict(steps=0), "steps"),
    ],
)
def test_pictures_that_cannot_be_drawn_are_refused(given, asked, param):
    client = client_of(Painter(Image((4, 6, 3)), *given))
    refused(client.post(PICTURES, {"model": "toy", "prompt": "", **asked}), param)


def test_texts_are_spoken():
    model = Model(Speech(**MEL), TEXT, Speaker(2, ("Ann", "Bob")))
    client = client_of(model)
    body = dict(model="toy", input="hi", voice="bob", speed=2, seed=4)
    response = client.post(SPEECH, body)
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["x-sample-rate"] == str(RATE)
    assert model.asked == dict(prompts=["hi"], speakers=1, speed=2, seed=4)
    waves, rate = decode_wav(response.content)
    assert (len(waves), rate) == (100, RATE)
    pcm = client.post(SPEECH, {**body, "response_format": "pcm"})
    assert pcm.headers["content-type"] == "audio/pcm"
    assert pcm.content == response.content[-200:]
    assert client.get("/v1/models/toy").json()["voices"] == ["Ann", "Bob"]
    for voice in (None, "default", {"id": "Ann"}):
        assert client.post(SPEECH, {**body, "voice": voice}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (dict(voice="alloy"), "voice"),
        (dict(input=""), "input"),
        (dict(input="!"), "input"),
        (dict(response_format="mp3"), "response_format"),
        (dict(speed=9), "speed"),
        (dict(instructions="be kind"), "instructions"),
        (dict(stream_format="sse"), "stream_format"),
    ],
)
def test_texts_that_cannot_be_spoken_are_refused(asked, param):
    client = client_of(Model(Speech(**MEL), TEXT))
    refused(client.post(SPEECH, {"model": "toy", "input": "hi", **asked}), param)


def post_sound(client, content=None, name="a.wav", **fields):
    content = encode_wav(np.zeros(9), RATE) if content is None else content
    data = {"model": "toy", **fields}
    return client.post(TRANSCRIPTS, data=data, files={"file": (name, content)})


def test_recordings_are_written_down():
    client = client_of(Listener(Text(TEXT.tokenizer), Mel(**MEL)))
    assert post_sound(client).json() == {"text": "9 samples"}
    response = post_sound(client, response_format="text", temperature="0")
    assert response.text == "9 samples"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        (dict(content=b"RIFF"), "file"),
        (dict(content=b""), "file"),
        (dict(name="a.exe"), "file"),
        (dict(language="de"), "language"),
        (dict(prompt="x"), "prompt"),
        (dict(response_format="srt"), "response_format"),
        (dict(temperature="0.5"), "temperature"),
        (dict(stream="true"), "stream"),
        (dict(invented="1"), "invented"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities"),
    ],
)
def test_recordings_that_cannot_be_written_down_are_refused(more, param):
    client = client_of(Listener(Text(TEXT.tokenizer), Mel(**MEL)))
    error = refused(post_sound(client, **more), param)
    assert "/tmp" not in error["message"]


def test_texts_become_vectors():
    client = client_of(Model(Vector(), TEXT))
    body = dict(model="toy", input=["ab", "c"])
    found = client.post(VECTORS, body).json()
    assert [each["embedding"] for each in found["data"]] == [[2, 0.5], [1, 0.5]]
    assert [each["index"] for each in found["data"]] == [0, 1]
    assert found["usage"] == dict(prompt_tokens=3, total_tokens=3)
    packed = client.post(VECTORS, {**body, "encoding_format": "base64"}).json()
    content = base64.b64decode(packed["data"][0]["embedding"])
    assert np.frombuffer(content, "<f4").tolist() == [2, 0.5]
    tokens = [int(token) for token in TEXT.tokenizer.encode("abc")]
    for given in (tokens, [tokens], "abc"):
        one = client.post(VECTORS, dict(model="toy", input=given, dimensions=2)).json()
        assert [each["embedding"] for each in one["data"]] == [[3, 0.5]]


@pytest.mark.parametrize(
    "asked",
    [
        dict(dimensions=3),
        dict(input=""),
        dict(input=[]),
        dict(input=["a", ""]),
        dict(input="x" * 41),
        dict(input=[99_999]),
        dict(input=["a"] * 300),
        dict(encoding_format="int8"),
    ],
)
def test_texts_that_cannot_become_vectors_are_refused(asked):
    client = client_of(Model(Vector(), TEXT))
    response = client.post(VECTORS, {"model": "toy", "input": "a", **asked})
    param = next(iter(asked))
    error = refused(response, param)
    if len(asked.get("input", "")) == 41:
        assert error["code"] == "context_length_exceeded"


def test_who_comes_when_a_line_is_full_is_told_when_to_come_again():
    served = Served("toy", Painter(Image((4, 6, 3))), queue=0)
    served.line._running = 1
    response = toy.client_of(served).post(PICTURES, dict(model="toy"))
    assert response.status_code == 429
    assert response.headers["retry-after"]


def test_what_takes_too_long_is_told():
    served = Served("toy", Painter(Image((4, 6, 3))))
    served.model.generate = lambda count, seed: toy.time.sleep(0.2)
    response = toy.client_of(served, seconds=0.02).post(PICTURES, dict(model="toy"))
    assert response.status_code == 408


def test_several_models_are_served_side_by_side():
    painter = Served("painter", Painter(Image((4, 6, 3))))
    client = toy.client_of(toy.served("first"), toy.served("second"), painter)
    names = [card["id"] for card in client.get("/v1/models").json()["data"]]
    assert names == ["first", "second", "painter"]
    for name in names[:2]:
        found = client.post("/v1/chat/completions", toy.chat(model=name)).json()
        assert found["model"] == name
    assert client.post(PICTURES, dict(model="painter")).status_code == 200
    assert client.get("/health").json()["models"]["painter"] == "ok"
    with pytest.raises(ValueError, match="different names"):
        toy.Models([toy.served(), toy.served()])
