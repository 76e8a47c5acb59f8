"""`python -m zoo`: what it prints, and how it says no."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import train
import zoo
from keras_genai import from_preset
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label, Text
from zoo import __main__ as command
from zoo._declared import declared
from zoo._list import FAMILIES, by_family
from zoo._metrics import metric
from zoo._show import card


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    out = tmp_path_factory.mktemp("zoo") / "run"
    assert train.main(["ngram_names", "--out", str(out)]) == 0
    return str(out / "preset")


def test_list_names_what_matches(capsys):
    assert not command.main(["list", "ngram*"])
    printed = capsys.readouterr().out
    assert "ngram7_shakespeare" in printed
    assert "gpt_" not in printed
    assert command.main(["list", "none*"]) == 2
    assert "`pattern` must match an entry" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["translate", "classify", "speak", "score"])
def test_a_text_that_may_be_left_out_is_not_asked_for(verb, capsys):
    with pytest.raises(SystemExit):
        command.main([verb])
    said = capsys.readouterr().err.strip()
    assert said == f"python -m zoo {verb}: the following arguments are required: name"


def test_list_groups_by_family_with_size_score_and_weights(
    capsys, monkeypatch, tmp_path
):
    (tmp_path / "runs/verify/lstm_sst2/preset").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert not command.main(["list"])
    lines = capsys.readouterr().out.splitlines()
    families = [line for line in lines if not line.startswith(" ")]
    assert families == [*FAMILIES]
    rows = {line.split()[0]: line for line in lines if line.startswith(" ")}
    assert sorted(rows) == zoo.names()
    score = r" +38\.5k 2\.106 test_nats_per_character +ship +4-gram on first names"
    assert re.search(score, rows["ngram_names"])
    assert re.search(r" {20} +hub +GPT-2, the small one", rows["gpt2"])
    assert re.search(r"test_accuracy +here ", rows["lstm_sst2"])
    assert lines.index("transformers") < lines.index(rows["gpt2"])


def test_an_entry_of_ones_own_is_listed_with_what_was_measured_beside_it(
    capsys, monkeypatch, tmp_path
):
    (tmp_path / "mine.py").write_text('"""My own."""\n\nentry = None\n', "utf-8")
    (tmp_path / "results").mkdir()
    result = {"parameters": 1_234_567, "metric": "bleu", "value": 12.3456}
    (tmp_path / "results" / "mine.json").write_text(json.dumps(result), "utf-8")
    monkeypatch.setenv(zoo.PLACES, str(tmp_path))
    assert not command.main(["list", "mine"])
    family, row = capsys.readouterr().out.splitlines()
    assert family == "others"
    assert row.split() == ["mine", "1.23M", "12.35", "bleu", "My", "own."]


def test_what_is_declared_is_read_without_running_the_entry():
    for name in ("gpt2", "ngram3_shakespeare", "lstm_shakespeare", "bart_scitldr"):
        entry = zoo.get(name)
        assert declared(name)["family"] == entry.family
        assert declared(name).get("hub", "") == entry.hub
    assert by_family(["gpt2"]) == {"transformers": ["gpt2"]}


@pytest.mark.parametrize("verb", ["list", "results"])
def test_tables_start_no_tensorflow(verb):
    code = (
        "import sys\n"
        "from zoo.__main__ import main\n"
        f"assert not main(['{verb}'])\n"
        "heavy = {'tensorflow', 'keras', 'numpy'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_show_is_a_card_and_no_source(capsys):
    assert not command.main(["show", "gpt_shakespeare"])
    printed = capsys.readouterr().out
    assert "nanoGPT" in printed
    assert "import" not in printed
    for fact in ("paper", "model", "data", "recipe", "commands", "measured", "weights"):
        assert re.search(rf"^{fact} +\w", printed, re.MULTILINE), fact
    assert "less is better" in printed
    learning = "AdamW at 0.001 after 100 steps, falling by a cosine to 10% of it"
    assert learning in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 88


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("ngram_names", ["counted in one pass", "ship with the zoo: ", "MIT"]),
        ("gpt_prior_digits", ["a trained vqvae_digits", "gpt_prior_digits.png"]),
        ("gpt2", ["on the hub: openai-community/gpt2", "Not measured."]),
        ("dcgan_digits", ["generator optimizer Adam at 0.0002"]),
    ],
)
def test_a_card_says_what_is_special_about_an_entry(name, facts):
    text = card(zoo.get(name))
    for fact in facts:
        assert fact in text


@pytest.mark.slow
def test_sample_writes_the_same_text_for_the_same_seed(preset, capsys):
    arguments = ["sample", "ngram_names", "--preset", preset, "--prompt", "\nan"]
    texts = []
    for seed in ("1", "1", "2"):
        assert not command.main([*arguments, "--max-length", "40", "--seed", seed])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("\nan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "gpt_shakspeare"], "Did you mean gpt_shakespeare"),
        (["sample", "gpt_shakespeare", "--preset", "no_such"], "python train.py"),
        (["show", "zzzz"], "See `python -m zoo list`"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, message, capsys):
    assert command.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_results_are_sorted_within_their_metric_the_best_first(capsys):
    assert not command.main(["results"])
    groups, value = {}, r"\| (-?[\d.]+) \|"
    for line in capsys.readouterr().out.split("\n"):
        if line.startswith("| entry |"):
            heading = line.split("|")[2].strip()
        elif line.startswith("| `"):
            groups.setdefault(heading, []).append(float(re.search(value, line)[1]))
    assert groups["bleu (BLEU, more is better)"][0] > 37
    for heading, values in groups.items():
        up = "more is better" in heading
        assert values == sorted(values, reverse=up), heading


def test_every_entry_of_another_metric_is_told_apart(monkeypatch):
    for name, (first, second) in {"psnr": (3, 2), "test_loss": (2, 3)}.items():
        assert metric(name).loss(first) < metric(name).loss(second)
    assert metric("frechet_distance_cnn_v1_frames").label.startswith("Frechet")
    assert metric("test_nats_per_character").label.endswith("test text")
    with pytest.raises(ValueError, match="`metric` must begin with one of"):
        metric("unheard_of")


def test_only_pictures_are_shown_as_pictures(capsys):
    assert not command.main(["results", "*_digits"])
    shown = capsys.readouterr().out
    assert "\n![ddpm_digits](../zoo/results/ddpm_digits.png)" in shown
    assert "\n[tts_digits](../zoo/results/tts_digits.wav)" in shown


def test_a_picture_of_results_goes_where_it_was_asked_to(tmp_path, capsys):
    path = tmp_path / "bars, ü"  # matplotlib would put .png behind it
    assert not command.main(["results", "*multi30k", "--picture", str(path)])
    assert path.read_bytes().startswith(b"\x89PNG")
    for wrong in (tmp_path, tmp_path / "none" / "x.png"):
        assert command.main(["results", "*multi30k", "--picture", str(wrong)]) == 2
        assert "`--picture` must be a file" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.fixture
def verified(monkeypatch, tmp_path):
    """Runs `verify` of an entry that is recorded with 2.0, and now reaches a value."""
    old = zoo.get("ngram_names").result.model_copy(update={"value": 2.0})
    results = tmp_path / "zoo" / "results"
    results.mkdir(parents=True)
    record = results / "ngram_names.json"
    record.write_text(old.model_dump_json(), "utf-8")
    monkeypatch.setattr("zoo.records", lambda name: results)
    monkeypatch.setattr("zoo.__file__", str(results.parent / "__init__.py"))

    def verify(value, *arguments):
        new = old.model_copy(update={"value": value})
        monkeypatch.setattr("zoo._run.run", lambda *_: new)
        out = ["--out", str(tmp_path / "run")]
        code = command.main(["verify", "ngram_names", *out, *arguments])
        return code, json.loads(record.read_text("utf-8"))["value"]

    return verify


def test_verify_fails_where_the_record_is_missed_and_leaves_it_alone(verified, capsys):
    assert verified(2.03) == (None, 2.0)
    assert verified(1.0) == (None, 2.0)  # better
    assert verified(2.05) == (1, 2.0)
    assert "worse by 0.05" in capsys.readouterr().err
    assert verified(float("nan")) == (1, 2.0)
    assert verified(2.05, "--tolerance", "0.1") == (None, 2.0)


def test_verify_starts_a_finished_run_over_only_when_told_to(
    verified, tmp_path, capsys
):
    run = tmp_path / "run"
    run.mkdir()
    (run / "result.json").write_text("{}", "utf-8")
    assert verified(1.5) == (2, 2.0)
    assert "`--out` must be a folder without a finished run" in capsys.readouterr().err
    assert verified(1.5, "--fresh") == (None, 2.0)


def test_verify_records_where_it_is_told_to(verified, tmp_path, capsys):
    mine = tmp_path / "new" / "mine"
    for _ in range(2):  # a folder that is made, and one that is there
        assert verified(1.5, "--record", str(mine)) == (None, 2.0)
        found = json.loads((mine / "ngram_names.json").read_text("utf-8"))
        assert found["value"] == 1.5
    assert verified(1.5, "--record", str(mine / "ngram_names.json")) == (2, 2.0)
    assert "`--record` must be a folder" in capsys.readouterr().err
    # Its own records are only those of a checkout.
    assert verified(1.5, "--record") == (2, 2.0)
    assert "zoo is installed" in capsys.readouterr().err
    (tmp_path / "setup.cfg").touch()
    assert verified(1.5, "--record") == (None, 1.5)


@pytest.fixture(scope="module")
def drawing(tmp_path_factory):
    """Presets of entries that draw, each in another way."""
    folder = tmp_path_factory.mktemp("drawing")
    for name in ("dcgan_digits", "vqvae_digits", "pix2pix_digits"):
        entry = zoo.get(name)
        entry.build(entry.stand_in(), **entry.tiny).save_to_preset(folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dcgan_digits", "vqvae_digits", "pix2pix_digits"])
def test_pictures_are_sampled_in_the_entrys_own_way(name, drawing, tmp_path):
    entry, out = zoo.get(name), tmp_path / "sheet.png"
    preset = drawing / name
    place = [str(preset)] if name == "dcgan_digits" else [name, "--preset", str(preset)]
    assert not command.main(["sample", *place, "--out", str(out), "--seed", "3"])
    model = from_preset(preset)
    assert out.read_bytes() == model.target.encode(entry.sample(model, seed=3))


def test_as_many_pictures_are_drawn_as_were_asked_for(drawing, tmp_path, capsys):
    out = ["--out", str(tmp_path / "x.png")]
    sample = ["sample", str(drawing / "dcgan_digits"), *out]
    assert not command.main([*sample, "--count", "5"])
    assert not command.main([*sample, "--count", "203", "--label", "7"])
    printed = capsys.readouterr().out
    assert printed.startswith("5 pictures in")
    assert "203 pictures in" in printed


def test_pictures_never_take_the_place_of_a_device(drawing, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    out = ["--out", str(pipe)]
    assert command.main(["sample", str(drawing / "dcgan_digits"), *out]) == 2
    assert "`--out` must be a file" in capsys.readouterr().err
    assert pipe.is_fifo()


def test_the_entry_that_made_a_model_says_how_to_sample_it(drawing, tmp_path):
    out = ["--out", str(tmp_path / "x.png")]
    preset = ["--preset", str(drawing / "dcgan_digits")]
    assert not command.main(["sample", "vqvae_digits", *preset, *out, "--count", "2"])


def test_guidance_is_the_entrys_unless_a_wish_says_otherwise(monkeypatch, tmp_path):
    given = {}

    class Model:
        num_classes, name, options = 10, "ddpm_digits", ()
        target, given = Image((8, 8, 1)), (Label(10),)

        def generate(self, count, **options):
            given.update(options)
            return np.zeros((count, 8, 8, 1))

    monkeypatch.setattr("zoo._sample.locate", lambda *_: None)
    monkeypatch.setattr("zoo._sample.open_model", lambda *_: Model())
    out = ["--out", str(tmp_path / "x.png")]
    for wish in ([], ["--label", "7"], ["--count", "3"]):
        given.clear()
        assert not command.main(["sample", "any", *out, *wish])
        assert given["guidance"] == 1.5
    assert given["labels"].tolist() == [0, 1, 2]


def test_what_pictures_shall_not_show_is_told_to_a_model_that_reads(
    monkeypatch, tmp_path, capsys
):
    given = {}

    class Model:
        name, options = "text_ddpm_digits", ("negative",)
        target, given = Image((8, 8, 1)), (Text(),)

        def generate(self, count, **options):
            given.update(options)
            return np.zeros((count, 8, 8, 1))

    monkeypatch.setattr("zoo._sample.locate", lambda *_: None)
    monkeypatch.setattr("zoo._sample.open_model", lambda *_: Model())
    sample = ["sample", "any", "--out", str(tmp_path / "x.png"), "--count", "2"]
    assert not command.main([*sample, "--prompt", "a three", "--negative", "bright"])
    assert given["prompts"] == ["a three"] * 2
    assert given["negative"] == "bright"
    assert given["guidance"] == 2
    assert not command.main([*sample, "--negative", "dim"])  # of the entry's own
    assert given["prompts"] == [
        "a three left of a seven",
        "a bright nine above a dim four",
    ]
    assert given["negative"] == "dim"
    capsys.readouterr()
    Model.options = ()
    assert command.main([*sample, "--negative", "dim"]) == 2
    assert "`--negative` must be left out for a Model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("dcgan_digits", ["--prompt", "a"], "`--prompt` must be left out for a GAN"),
        ("dcgan_digits", ["--top-k", "2"], "`--top-k` must be left out"),
        ("dcgan_digits", ["--negative", "a"], "`--negative` must be left out"),
        ("dcgan_digits", ["--label", "10"], "from 0 to 9"),
        ("dcgan_digits", ["--count", "1000000000"], "GiB of memory"),
        ("dcgan_digits", ["--count", "0"], "--count: must be an int from 1"),
        ("dcgan_digits", ["--out", "/"], "`--out` must be a file"),
        ("vqvae_digits", ["--count", "3"], "which shows what it makes of data"),
        ("pix2pix_digits", ["--data", "nosuch"], "Received: 'nosuch'"),
    ],
)
def test_what_a_model_that_draws_cannot_do_is_one_line(
    name, arguments, message, drawing, capsys
):
    try:
        code = command.main(["sample", str(drawing / name), *arguments])
    except SystemExit as stopped:
        code = stopped.code
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_what_a_model_that_writes_cannot_do_is_one_line(preset, capsys):
    for wrong in (["--count", "3"], ["--label", "1"]):
        assert command.main(["sample", "ngram_names", "--preset", preset, *wrong]) == 2
        assert f"`{wrong[0]}` must be left out" in capsys.readouterr().err
    # A way to draw tokens is heard without a prompt, too.
    greedy = ["sample", preset, "--temperature", "0", "--max-length", "30"]
    assert not command.main(greedy)
    first = capsys.readouterr().out
    assert not command.main([*greedy, "--seed", "5"])
    assert capsys.readouterr().out == first


@pytest.mark.slow
def test_training_is_a_verb_too(tmp_path, capsys):
    arguments = ["train", "ngram_names", "--dry-run", "--out", str(tmp_path)]
    assert not command.main(arguments)
    assert "All well" in capsys.readouterr().out
    assert command.main(["train", "ngram_nmes"]) == 2
    assert "Did you mean ngram_names" in capsys.readouterr().err
