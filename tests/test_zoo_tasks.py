"""The verbs that use language models: what they open, read, print and refuse."""

import io
import json

import pytest
from parity.translators import opened, tiny

import zoo
from keras_genai import from_preset
from keras_genai.data import published, tokenizers
from keras_genai.layers.quantized import Bfloat16Weights, Int4Weights, Int8Weights
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.encoder_decoder import BART, EncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.seq2seq import Seq2SeqLM
from zoo import __main__ as command
from zoo import _opening, _settings, _tasks, _weights

SPECIAL = dict(pad_token="<pad>", start_token="<s>", end_token="</s>")
TEXTS = ["the good cat sat", "a bad dog ran away to the sea"]


def bert():
    return BERT(context=24, depth=1, width=8, num_heads=2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A classifier, a reader, and a writer in both formats."""
    folder = tmp_path_factory.mktemp("presets")
    words = published.for_encoder(tokenizers.wordpiece(TEXTS * 3, 80, lowercase=True))
    tokens = tokenizers.byte_level(**SPECIAL)
    writer = Seq2SeqLM(
        EncoderDecoder(
            context=40,
            encoder_depth=1,
            decoder_depth=1,
            width=8,
            num_heads=2,
            style=BART,
        ),
        Text(tokens),
        generation=GenerationSettings(
            max_length=6, decoder_start_token=2, end_tokens=(258,)
        ),
    )
    models = {
        "classifier": (
            SequenceClassifier(bert(), Label(3, ("bad", "good", "so-so")), Text(words)),
            words,
        ),
        "reader": (QuestionAnswering(bert(), Text(words)), words),
        "writer": (writer, tokens),
    }
    for name, (model, tokenizer) in models.items():
        model.tokenizer = tokenizer
        model.save_to_preset(folder / name)
    writer.save_to_preset(folder / "published", format="huggingface")
    return folder


@pytest.fixture
def run(folders, capsys, monkeypatch):
    """Runs a verb on one of the folders; returns its lines and its errors."""

    def run(verb, name, *arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = command.main([verb, str(folders / name), *map(str, arguments)])
        printed = capsys.readouterr()
        assert code == (2 if printed.err.startswith("zoo: `") else None)
        return printed.out.splitlines(), printed.err

    return run


@pytest.mark.usefixtures("eager")
def test_classes_are_named_with_their_probabilities(run, folders):
    lines, _ = run("classify", "classifier", *TEXTS)
    model = from_preset(folders / "classifier")
    for line, label in zip(lines, model.classify(TEXTS), strict=True):
        words = line.split()
        assert words[0] == label.label
        assert float(words[1]) == pytest.approx(label.probability, abs=1e-4)
        assert sorted(words[::2]) == ["bad", "good", "so-so"]
        assert sum(map(float, words[1::2])) == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("int8", Int8Weights()),
        ("int4", Int4Weights(64)),
        ("bfloat16", Bfloat16Weights()),
    ],
)
def test_weights_can_have_fewer_bits(run, folders, monkeypatch, kind, weights):
    opened = []
    open_model = _opening.open_model

    def note(*args):
        opened.append(open_model(*args))
        return opened[-1]

    monkeypatch.setattr(_tasks, "open_model", note)
    plain, _ = run("classify", "classifier", TEXTS[0])
    small, _ = run("classify", "classifier", f"--{kind}", TEXTS[0])
    assert [model.changes for model in opened] == [(), (weights,)]
    for (line,) in (plain, small):
        assert {"bad", "good", "so-so"} <= set(line.split())


@pytest.mark.usefixtures("eager")
def test_lines_of_standard_input_are_as_good_as_arguments(run):
    given, _ = run("classify", "classifier", *TEXTS)
    read, _ = run("classify", "classifier", stdin=f"{TEXTS[0]}\n\n  {TEXTS[1]}\n")
    assert read == [given[0], "", given[1]]


@pytest.mark.usefixtures("eager")
def test_an_answer_is_a_span_with_its_place_and_score(run, folders, tmp_path):
    context = "The cat sat by the sea. " * 8
    file = tmp_path / "context.txt"
    file.write_text(context)
    lines, _ = run("answer", "reader", "--context", context, "who sat?")
    assert lines == run("answer", "reader", "who sat?", "--context", context)[0]
    assert lines == run("answer", "reader", "--context", file, stdin="who sat?\n")[0]
    found = from_preset(folders / "reader").answer("who sat?", context)
    place = f"[{found.start}:{found.end}]"
    assert lines == [f"{found.text}  {place}  score {found.score:.2f}"]
    assert context[found.start : found.end] == found.text


@pytest.mark.usefixtures("eager")
def test_a_model_of_few_positions_is_sampled_to_its_own_length(run):
    lines, errors = run("sample", "writer", "--prompt", TEXTS[0], "--temperature", 0)
    assert lines
    assert errors == ""


@pytest.mark.slow
def test_texts_are_rewritten_by_the_models_own_settings(run, folders):
    lines, errors = run("summarize", "writer", *TEXTS)
    model = from_preset(folders / "writer")
    model.jit_generate = False
    assert lines == [" ".join(text.split()) for text in model.generate(TEXTS)]
    assert errors == ""
    assert run("translate", "writer", stdin="\n".join(TEXTS))[0] == lines
    shorter, _ = run("summarize", "writer", TEXTS[0], "--max-length", "3")
    assert len(shorter[0]) <= 3


@pytest.mark.slow
def test_what_is_too_long_is_cut_and_said_with_numbers(run):
    long = "x" * 60
    lines, errors = run("summarize", "writer", long, "--prefix", "sum: ")
    assert "65 tokens was cut to the first 40" in errors
    assert lines == run("summarize", "writer", "sum: " + long[:35])[0]
    _, errors = run("classify", "classifier", "the cat " * 20)
    assert "42 tokens was cut to the first 24" in errors


@pytest.fixture
def published_tasks(folders):
    """Puts `task_specific_params` into the published folder's config.json."""
    path = folders / "published" / "config.json"
    (folders / "published" / "manifest.json").unlink(missing_ok=True)
    config = json.loads(path.read_text())

    def put(**tasks):
        path.write_text(json.dumps({**config, "task_specific_params": tasks}))

    yield put
    path.write_text(json.dumps(config))


def test_a_published_config_says_how_each_task_begins(
    run, published_tasks, monkeypatch
):
    published_tasks(
        summarization={"prefix": "summarize: ", "max_length": 4, "num_beams": 2},
        translation_en_to_de={"prefix": "to German: ", "max_length": 5},
        translation_en_to_fr={"prefix": "to French: "},
    )
    seen = []

    def translate(model, texts, max_length=None):
        seen.append((texts, model.generation.max_length, model.generation.num_beams))
        return texts

    monkeypatch.setattr("keras_genai.evaluation.translation.translate", translate)
    run("summarize", "published", "a cat")
    run("translate", "published", "a cat", "--languages", "en-de")
    run("translate", "published", "a cat", "--prefix", "so: ")
    assert seen == [
        (["summarize: a cat"], 4, 2),
        (["to German: a cat"], 5, 1),
        (["so: a cat"], 6, 1),
    ]
    for languages in ((), ("--languages", "de-en")):
        _, error = run("translate", "published", "a cat", *languages)
        assert "`--languages` must be one of en-de, en-fr" in error


@pytest.mark.slow
def test_a_model_of_many_languages_is_told_which_are_meant(run, monkeypatch, tmp_path):
    tiny("mbart50").save_to_preset(tmp_path / "many", format="huggingface")
    seen = []

    def translate(model, texts, max_length=None):
        seen.append((model.tokenizer.encode("a")[0], model.generation))
        return texts

    monkeypatch.setattr("keras_genai.evaluation.translation.translate", translate)
    run("translate", str(tmp_path / "many"), "a cat", "--languages", "de_DE-fr_XX")
    code = opened("mbart50").special_tokens
    assert seen[0][0] == code["de_DE"]
    assert seen[0][1].forced_start_token == code["fr_XX"]
    _, error = run("translate", str(tmp_path / "many"), "a", "--languages", "de_DE-xx")
    assert "`target` must be a language of the tokenizer" in error


def test_settings_of_a_wrong_type_are_one_clear_line(run, published_tasks):
    published_tasks(summarization={"max_length": "long"})
    _, error = run("summarize", "published", "a cat")
    assert "`max_length` must be" in error
    _, error = run("translate", "published", "a cat", "--languages", "en-de")
    assert "`--languages` must be left out" in error


def test_an_unknown_option_is_refused(capsys):
    for arguments in (["answer", "x", "--context", "y", "--no"], ["list", "a", "b"]):
        with pytest.raises(SystemExit):
            command.main(arguments)
        assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "name", "fitting"),
    [
        ("classify", "writer", "sample, chat, translate, summarize"),
        ("translate", "classifier", "sample, classify"),
        ("chat", "reader", "sample, answer"),
    ],
)
def test_a_verb_that_does_not_fit_names_those_that_do(run, verb, name, fitting):
    lines, error = run(verb, name)
    assert lines == []
    assert error.count("\n") == 1
    assert f"`{verb}` does not fit" in error
    assert error.endswith(f"What fits: {fitting}\n")


def test_a_name_is_an_entry_a_folder_or_one_on_the_hub(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert _opening.locate("google-t5/t5-small") == "google-t5/t5-small"
    assert capsys.readouterr().err == ""
    assert _opening.locate("t5_small") == zoo.get("t5_small").hub
    assert capsys.readouterr().err == "zoo: t5_small: taking the published checkpoint\n"
    for folder in ("runs/t5_small/preset", "other"):
        (tmp_path / folder).mkdir(parents=True)
    assert str(_opening.locate("t5_small")) == "runs/t5_small/preset"
    assert str(_opening.locate("other")) == "other"
    assert str(_opening.locate("t5_small", "other")) == "other"
    with pytest.raises(ValueError, match="must be a folder that exists"):
        _opening.locate("./no_such")
    with pytest.raises(ValueError, match="Did you mean t5_small"):
        _opening.locate("t5_smal")
    with pytest.raises(ValueError, match=r"python train\.py lstm_sst2"):
        _opening.locate("lstm_sst2")
    with pytest.raises(ValueError, match=r"whose weights ship: .*ngram_names"):
        _opening.locate("lstm_sst2")


def test_weights_that_ship_are_taken_unless_some_were_trained_here(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert _opening.locate("ngram_names") == _weights.folder("ngram_names")
    assert "taking the weights that ship with the zoo" in capsys.readouterr().err
    (tmp_path / "runs/ngram_names/preset").mkdir(parents=True)
    assert str(_opening.locate("ngram_names")) == "runs/ngram_names/preset"
    assert "taking the preset in runs/ngram_names" in capsys.readouterr().err


def test_few_tokens_are_written_by_a_loop_that_xla_has_not_compiled(folders):
    def compiled(*arguments):
        place = folders / "writer"
        return _opening.open_model(place, "it", "sample", *arguments).jit_generate

    assert compiled()
    assert not compiled(None, 400)
    assert compiled(None, 100_000)
    assert compiled("int8", 400)  # 8-bit products are fast in XLA alone


def test_the_prefix_of_an_entry_is_that_of_its_data():
    def prefix(*names):
        return _tasks._prefix(_tasks.entry_of(*names))

    assert prefix("t5_scitldr", "anything") == "summarize: "
    assert prefix("some/folder", "t5_scitldr") == "summarize: "
    assert prefix("bart_scitldr") == ""
    assert prefix("some/folder") == ""


@pytest.mark.usefixtures("eager")
def test_words_in_capitals_are_read_as_the_data_has_them(run, folders, monkeypatch):
    model = from_preset(folders / "writer", name="g2p_cmudict")
    model.save_to_preset(folders / "sounds")
    asked = []

    def translate(model, texts, **_):
        asked.extend(texts)
        return list(texts)

    monkeypatch.setattr("keras_genai.evaluation.translation.translate", translate)
    words = "Photograph", "T-SHIRT", "it's"
    lines, errors = run("translate", "sounds", *words)
    assert lines == asked == ["photograph", "t-shirt", "it's"]
    assert not errors
    run("translate", "writer", "A Cat")  # of an entry that says nothing of it
    assert asked[3:] == ["A Cat"]


@pytest.mark.parametrize(
    ("name", "folder", "kind"),
    [
        ("bart_scitldr", "writer", Seq2SeqLM),
        ("bert_squad", "reader", QuestionAnswering),
    ],
)
def test_an_entry_starts_from_a_folder_and_speaks_its_tokens(
    name, folder, kind, folders
):
    entry = zoo.get(name)
    overrides = _settings.read_overrides(entry, [f"folder={folders / folder}"])
    given = overrides["source_overrides"]
    splits = entry.source(batch_size=2, stand_in=True, **given)
    model = entry.build(splits, **overrides["overrides"])
    assert type(model) is kind
    stored = from_preset(folders / folder)
    assert splits.tokenizer.to_json() == stored.tokenizer.to_json()
    path, weight = next(iter(stored.preset_weights().items()))
    assert (model.preset_weights()[path].numpy() == weight.numpy()).all()
    if kind is Seq2SeqLM:
        inputs, *_ = next(iter(splits.train.dataset()))
        assert (inputs["targets"][:, 0].numpy() == 2).all()
        assert model.generation.max_length == 64


def test_without_a_folder_it_says_that_weights_are_random(capsys):
    entry = zoo.get("bart_scitldr")
    entry.build(entry.stand_in(), **entry.tiny)
    assert "bart_scitldr starts from random weights" in capsys.readouterr().err


def test_a_classifiers_encoder_can_become_a_reader(folders):
    entry = zoo.get("bert_squad")
    reader = entry.task(BERT(), Text(), folder=str(folders / "classifier"))
    assert reader.answer("who?", "the cat sat").text
    with pytest.raises(ValueError, match="`folder` must have a BERT"):
        entry.task(BERT(), Text(), folder=str(folders / "writer"))
