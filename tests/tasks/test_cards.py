"""A preset's card says what the model is, how it decodes and what not to expect."""

import pytest

from keras_genai.modalities.image import Image
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.t5 import T5
from keras_genai.networks.unet import UNet
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks import cards
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM


def gpt():
    sizes = dict(context=8, depth=1, width=8, num_heads=2)
    return CausalLM(GPT(vocabulary_size=20, **sizes))


def t5():
    settings = GenerationSettings(max_length=9, num_beams=4, length_penalty=0.6)
    network = T5(
        vocabulary_size=20,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        head_dim=4,
        inner_width=16,
    )
    return Seq2SeqLM(network, generation=settings)


def unet():
    return Diffusion(UNet(width=8, multipliers=(1,)), Image((8, 8, 1)))


@pytest.mark.parametrize(
    ("make", "decoding"),
    [
        (gpt, "every token is drawn from all, at temperature 1"),
        (t5, "max_length 9, num_beams 4, length_penalty 0.6"),
        (unet, "30 steps of DPMSolver, without guidance"),
    ],
)
def test_every_preset_has_a_card(make, decoding, tmp_path):
    model = make()
    model.save_to_preset(tmp_path / "preset")
    text = (tmp_path / "preset" / "README.md").read_text()
    assert text.startswith(f"# {model.name}\n")
    made = f"{type(model).__name__} of {type(model.network).__name__}"
    assert f"- model: {made}, {model.count_params():,} parameters" in text
    assert f"- decoding: {decoding}\n" in text
    assert cards.LIMITS in text
    assert "from_preset(" in text


def test_an_encoder_decodes_nothing():
    sizes = dict(vocabulary_size=20, context=8, depth=1, width=8, num_heads=2)
    assert "decoding" not in cards.card(FeatureExtractor(BERT(**sizes)))


def test_facts_and_a_sample_are_shown():
    text = cards.card(gpt(), "name", "A paper", {"data": "names"}, "Anna")
    assert text.startswith("# name\n\nA paper\n\n- model: ")
    assert "- data: names\n" in text
    assert "```text\nAnna\n```" in text


def test_a_card_shows_how_samples_are_made():
    example = {"prompts": 'a "seven"', "guidance": 2.0}
    text = cards.card(unet(), example=example)
    code = text.partition("```python\n")[2].partition("\n```")[0]
    assert code.startswith("from keras_genai import from_preset\n")
    assert code.endswith(
        '/this/folder")\nsamples = model.generate('
        'prompts="a \\"seven\\"", guidance=2.0)'
    )
    assert "generate" not in cards.card(unet(), example={})
