"""Encoders as releases of transformers wrote them: old names and odd settings."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from marks import slow_but
from safetensors.numpy import load_file, save_file

from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.modalities.text import Label
from keras_genai.networks.bert import BERT, ROBERTA, BERTStyle
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files/bert_kin"
FAMILY_NAMES = ("roberta", "distilbert", "mpnet", "electra", "albert")
INPUTS = ("tokens", "segments", "tokens_mask")


def read_tensors(folder):
    tensors = {}
    for path in folder.glob("*.safetensors"):
        tensors.update(load_file(path))
    return tensors


def rewritten(name, folder, change=dict, drop=(), **config):
    """A copy of a folder with other tensors, in one file, and other settings."""
    shutil.copytree(FILES / name, folder)
    tensors = change(read_tensors(folder))
    for path in folder.glob("model*"):
        path.unlink()
    save_file(tensors, folder / "model.safetensors")
    known = json.loads((folder / "config.json").read_text())
    known = {key: value for key, value in known.items() if key not in drop}
    (folder / "config.json").write_text(json.dumps({**known, **config}))
    return folder


def assert_same(folder, name, **options):
    """Both folders give the same numbers."""
    reference = dict(np.load(FILES / name / "reference.npz"))
    inputs = {key: reference[key] for key in INPUTS if key in reference}
    found, expected = (
        from_preset(folder, **options)(inputs),
        from_preset(FILES / name)(inputs),
    )
    if not isinstance(found, dict):
        found, expected = {"logits": found}, {"logits": expected}
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key], err_msg=key)


def of_2018(tensors):
    """Norms with gamma and beta."""
    found = {}
    for key, value in tensors.items():
        stem, _, last = key.rpartition(".")
        if stem.endswith(("LayerNorm", ".layer_norm")):
            last = {"weight": "gamma", "bias": "beta"}[last]
        found[f"{stem}.{last}" if stem else last] = value
    return found


def of_3(tensors):
    """Positions, a pooler that the head does not read, and tied tensors twice."""
    prefix = next(key for key in tensors if ".embeddings." in key).partition(".")[0]
    table = tensors[f"{prefix}.embeddings.word_embeddings.weight"]
    pooler = "pooler" if prefix == "albert" else "pooler.dense"
    width = 12
    found = {
        **tensors,
        f"{prefix}.embeddings.position_ids": np.arange(20)[None],
        f"{prefix}.embeddings.token_type_ids": np.zeros((1, 20), "int64"),
    }
    if prefix in ("roberta", "mpnet", "albert"):
        found[f"{prefix}.{pooler}.weight"] = np.ones((width, width), "float32")
        found[f"{prefix}.{pooler}.bias"] = np.ones(width, "float32")
    for head in ("lm_head", "predictions"):
        if f"{head}.bias" in tensors:
            found[f"{head}.decoder.bias"] = tensors[f"{head}.bias"].copy()
            found[f"{head}.decoder.weight"] = table.copy()
    for decoder in ("vocab_projector", "generator_lm_head"):
        if f"{decoder}.bias" in tensors:
            found[f"{decoder}.weight"] = table.copy()
    return found


def without_prefix(tensors):
    """As a body is stored that was saved by itself."""
    names = [f"{name}." for name in FAMILY_NAMES]
    return {
        next((key.removeprefix(n) for n in names if key.startswith(n)), key): value
        for key, value in tensors.items()
    }


@pytest.mark.parametrize("family", slow_but(("roberta",), FAMILY_NAMES))
@pytest.mark.parametrize("change", [of_2018, of_3, without_prefix])
def test_old_files_open(change, family, tmp_path):
    name = f"{family}_masked"
    assert_same(rewritten(name, tmp_path / "old", change), name)


@pytest.mark.parametrize("family", slow_but(("distilbert",), FAMILY_NAMES))
def test_a_body_may_have_its_prefix(family, tmp_path):
    def prefixed(tensors):
        return {f"{family}.{key}": value for key, value in tensors.items()}

    assert_same(rewritten(family, tmp_path / "old", prefixed), family)


def test_an_old_config_has_few_keys_or_many(tmp_path):
    drop = ("pad_token_id", "bos_token_id", "eos_token_id", "classifier_dropout")
    drop += ("tie_word_embeddings", "use_cache", "is_decoder", "add_cross_attention")
    few = rewritten("roberta_masked", tmp_path / "few", drop=drop)
    assert_same(few, "roberta_masked")
    many = rewritten(
        "roberta_masked",
        tmp_path / "many",
        gradient_checkpointing=False,
        position_embedding_type="absolute",
        output_past=True,
        pruned_heads={},
        num_beams=1,
        _num_labels=2,
        xla_device=True,
    )
    assert_same(many, "roberta_masked")


def test_settings_that_nobody_knows_are_told(tmp_path):
    folder = rewritten("distilbert", tmp_path / "folder", something_new=3)
    with pytest.warns(UserWarning, match="something_new"):
        from_preset(folder)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("roberta", dict(position_embedding_type="relative_key"), "position_embedding"),
        ("roberta", dict(is_decoder=True), "is_decoder"),
        ("roberta", dict(pruned_heads={"0": [1]}), "pruned_heads"),
        ("roberta", dict(quantization_config={}), "quantization_config"),
        ("roberta", dict(max_position_embeddings=2), "max_position_embeddings"),
        ("roberta", dict(pad_token_id=-1), "pad_token_id"),
        ("roberta", dict(layer_norm_eps=0.0), "layer_norm_eps"),
        ("roberta", dict(problem_type="multi_label_classification"), "problem_type"),
        ("distilbert", dict(n_heads=5), "num_attention_heads"),
        ("distilbert", dict(dim=0), "`dim`"),
        ("mpnet", dict(relative_attention_num_buckets=8), "relative_attention_num"),
        ("electra", dict(hidden_act="tanh"), "hidden_act"),
        ("albert", dict(num_hidden_groups=0), "num_hidden_groups"),
        ("albert", dict(embedding_size=9), "wrong shape"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused_by_name(
    name, changes, message, tmp_path
):
    folder = rewritten(name, tmp_path / "folder", **changes)
    with pytest.raises(PresetError, match=message) as caught:
        from_preset(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family", slow_but(("roberta",), FAMILY_NAMES))
def test_a_head_begins_anew_with_all_its_layers(family):
    label = Label(2, ("no", "yes"))
    folder = FILES / f"{family}_masked"
    model = from_preset(folder, task="SequenceClassifier", target=label)
    assert model.labels == ("no", "yes")
    body = from_preset(folder).network
    np.testing.assert_array_equal(
        model.network.embedding.embeddings, body.embedding.embeddings
    )
    assert np.std(model.network.pooler.kernel) > 0


def test_a_head_of_a_discriminator_begins_anew(tmp_path):
    def discriminator(tensors):
        more = {
            f"discriminator_predictions.{name}": np.zeros(shape, "float32")
            for name, shape in {
                "dense.weight": (12, 12),
                "dense.bias": (12,),
                "dense_prediction.weight": (1, 12),
                "dense_prediction.bias": (1,),
            }.items()
        }
        body = {f"electra.{key}": value for key, value in tensors.items()}
        return {**body, **more}

    folder = rewritten(
        "electra",
        tmp_path / "folder",
        discriminator,
        architectures=["ElectraForPreTraining"],
    )
    assert from_preset(folder, task="SequenceClassifier").network.has_pooler
    assert_same(folder, "electra", task="FeatureExtractor")


def test_styles_that_no_family_has_are_not_written(tmp_path):
    sizes = dict(vocabulary_size=9, context=4, depth=1, width=4, num_heads=1)
    for network, message in (
        (BERT(**sizes, style=BERTStyle(num_buckets=4)), "`style` must be"),
        (BERT(**sizes, style=ROBERTA, num_segments=None), "must be"),
    ):
        with pytest.raises(ValueError, match=message):
            FeatureExtractor(network).save_to_preset(
                tmp_path / "folder", format="huggingface"
            )
    assert not list(tmp_path.iterdir())


def test_the_layout_of_sentence_transformers_is_followed(tmp_path):
    """As in all-mpnet-base-v2: a mean of length one, and a limit."""
    folder = shutil.copytree(FILES / "mpnet", tmp_path / "folder")
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(FILES / "tokenizers/mpnet" / name, folder)
    words = (folder / "vocab.txt").read_text("utf-8").split("\n")[:47]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {
            "idx": index,
            "name": str(index),
            "path": f"{index}_{kind}" if index else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, kind in enumerate(kinds)
    ]
    files = {
        "modules.json": modules,
        "1_Pooling/config.json": {
            "word_embedding_dimension": 12,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": 9, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "__version__": {"sentence_transformers": "2.0.0", "pytorch": "1.8.1"}
        },
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    model = from_preset(folder)
    assert type(model) is SentenceEmbedder
    assert model.normalize
    batch = model.batch(["a cat and a dog in the old house by the sea"])
    assert batch["tokens_mask"].sum() == 9
    hidden = np.asarray(model.network(batch)["hidden"])[0, :9].mean(0)
    found = model.embed("a cat and a dog in the old house by the sea")
    np.testing.assert_allclose(found, hidden / np.linalg.norm(hidden), atol=1e-5)


@pytest.mark.parametrize("name", ["roberta", "xlm_roberta", "mpnet", "albert"])
def test_tokenizers_of_old_folders(name, tmp_path):
    """Without tokenizer_config.json, with tokens that a user added."""
    folder = shutil.copytree(FILES / "tokenizers" / name, tmp_path / "folder")
    (folder / "tokenizer_config.json").unlink(missing_ok=True)
    family = FAMILIES[name.replace("_", "-")]
    plain = read_tokenizer(folder, family)
    size = plain.vocabulary_size
    (folder / "added_tokens.json").write_text(json.dumps({"<new>": size}))
    mask = "[MASK]" if name == "albert" else "<mask>"
    special = {"mask_token": mask, "additional_special_tokens": ["<new>"]}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    found = read_tokenizer(folder, family)
    ids = found.encode(f"the {mask} sat <new>").tolist()
    assert ids[-2] == size
    assert found.core.token_to_id(mask) in ids
    assert ids[:1] + ids[-1:] == plain.encode("").tolist()
    assert (
        found.encode("the old house").tolist() == plain.encode("the old house").tolist()
    )
