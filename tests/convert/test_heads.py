"""Every family of encoders has the heads that BERT has, and writes what it can say."""

import json
import pathlib

import numpy as np
import pytest
from marks import slow_but

from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.modalities.text import Label
from keras_genai.networks.bert import BERT
from keras_genai.networks.modern_bert import ModernBERT
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier

FILES = pathlib.Path(__file__).parent.parent / "parity/files/bert_kin"
KIN = {
    **{name: name for name in ("roberta", "camembert", "distilbert", "mpnet")},
    **{name: name for name in ("electra", "albert", "modernbert")},
    "xlm-roberta": "xlm_roberta",
}
HEADS = {
    "SequenceClassifier": "ForSequenceClassification",
    "TokenClassifier": "ForTokenClassification",
    "QuestionAnswering": "ForQuestionAnswering",
    "FeatureExtractor": "Model",
    "SentenceEmbedder": "Model",
}
SIZES = dict(vocabulary_size=9, context=4, depth=1, width=4, num_heads=1)


@pytest.mark.parametrize("model_type", KIN)
def test_a_family_has_the_heads_of_bert(model_type):
    def tasks(family):
        return {each.task.__name__ for each in FAMILIES[family].architectures}

    assert tasks(model_type) >= tasks("bert") == {"MaskedLM", *HEADS}


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize("model_type", slow_but((), KIN))
def test_each_head_begins_anew_on_it_and_is_written_as_its_own(
    model_type, task, tmp_path
):
    folder = FILES / KIN[model_type]
    folder = folder if folder.name == "xlm_roberta" else f"{folder}_masked"
    more = {"target": Label(3)} if task.endswith("Classifier") else {}
    model = from_preset(folder, task=task, **more)
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    config = json.loads((tmp_path / "folder/config.json").read_text("utf-8"))
    (written,) = config["architectures"]
    assert written.endswith(HEADS[task])
    assert not more or len(config["id2label"]) == 3
    again = from_preset(tmp_path / "folder", task=task)
    known = model.preset_weights()
    assert again.preset_weights().keys() == known.keys()
    for path, weight in again.preset_weights().items():
        np.testing.assert_array_equal(weight, known[path])


@pytest.mark.slow
def test_what_a_head_shares_with_the_stored_one_is_read():
    """As transformers does: ModernBERT's heads have a layer of one name."""
    folder = FILES / "modernbert_masked"
    masked = from_preset(folder).preset_weights()
    model = from_preset(folder, task="TokenClassifier", target=Label(3))
    found = model.preset_weights()
    for name in ("transform/kernel", "transform_norm/gamma"):
        np.testing.assert_array_equal(found[name], masked[name])
    judge = from_preset(folder, task="SequenceClassifier").preset_weights()
    np.testing.assert_array_equal(
        judge["modern_bert/pooler/kernel"], masked["transform/kernel"]
    )
    # Of another number of labels, the last layer begins anew.
    answers = from_preset(FILES / "modernbert_answer").preset_weights()
    again = from_preset(
        FILES / "modernbert_answer", task="TokenClassifier", target=Label(3)
    )
    assert again.preset_weights()["classifier/kernel"].shape == (12, 3)
    np.testing.assert_array_equal(
        again.preset_weights()["transform/kernel"], answers["transform/kernel"]
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuestionAnswering(BERT(**SIZES), transform=True), "`transform`"),
        (lambda: TokenClassifier(BERT(**SIZES), transform=True), "`transform`"),
        (lambda: MaskedLM(BERT(**SIZES), use_bias=False), "`use_bias`"),
        (lambda: TokenClassifier(ModernBERT(**SIZES, inner_width=4)), "`transform`"),
        (lambda: QuestionAnswering(ModernBERT(**SIZES, inner_width=4)), "`transform`"),
        (
            lambda: SequenceClassifier(
                ModernBERT(**SIZES, inner_width=4), pooling="max"
            ),
            "`pooling`",
        ),
    ],
)
def test_what_no_family_has_is_not_written(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make().save_to_preset(tmp_path / "folder", format="huggingface")
    assert not list(tmp_path.iterdir())
