"""The verbs that let one model judge what others write."""

import io
import re

import numpy as np
import pytest

from keras_genai.data import published, tokenizers
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.samplers import Sample
from keras_genai.samplers.rollouts import completions, roll
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.reward import RewardModel
from keras_genai.tasks.sampling import sampled
from zoo import __main__ as command
from zoo._judging import RewardJudge

TEXTS = ["the good cat sat", "a bad dog ran away to the sea"]
SIZES = dict(context=24, depth=1, width=8, num_heads=2)


@pytest.fixture(scope="module")
def models():
    """Two writers, a reward model and a classifier, by name."""
    tokens = tokenizers.byte_level("<pad>", end_token="</s>")
    words = published.for_encoder(tokenizers.wordpiece(TEXTS * 3, 80, lowercase=True))
    made = {
        "one": CausalLM(GPT(**SIZES), Text(tokens)),
        "other": CausalLM(GPT(**SIZES), Text(tokens)),
        "reward": RewardModel(GPT(**SIZES), given=Text(tokens)),
        "classifier": SequenceClassifier(
            BERT(**SIZES), Label(2, ("bad", "good")), Text(words)
        ),
    }
    for model in made.values():
        model.jit_generate = False
    return made


@pytest.fixture(scope="module")
def folders(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judging")
    for name, model in models.items():
        model.save_to_preset(folder / name)
    return folder


@pytest.fixture
def run(folders, capsys, monkeypatch):
    """Runs a verb; names that are folders become paths. Returns lines and errors."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        known = [each.name for each in folders.iterdir()]
        given = [str(folders / a) if a in known else str(a) for a in arguments]
        code = command.main(given)
        printed = capsys.readouterr()
        assert code == (2 if printed.err.startswith("zoo: `") else None), printed.err
        return printed.out.splitlines(), printed.err

    return run


@pytest.mark.usefixtures("eager")
def test_a_reward_model_scores_each_text(run, models):
    lines, _ = run("score", "reward", "--prompt", "the ", "cat", "dog")
    wanted = models["reward"].score(["the ", "the "], ["cat", "dog"])
    np.testing.assert_allclose([float(line) for line in lines], wanted, atol=6e-5)
    alone, _ = run("score", "reward", stdin="the cat\n\nthe dog\n")
    assert (alone[0], alone[1], alone[2]) == (lines[0], "", lines[1])


@pytest.mark.slow
def test_two_models_are_compared_on_the_same_prompts(run, models, tmp_path):
    prompts = ["the cat", "a dog"]
    path = tmp_path / "prompts.txt"
    path.write_text("the cat\n\na dog\n", "utf-8")
    options = ["--max-length", "4", "--seed", "3"]
    lines, _ = run(
        "compare", "one", "other", "--judge", "reward", "--prompts", path, *options
    )
    for name, line in zip(("one", "other"), lines, strict=False):
        model = models[name]
        drawn = roll(model, prompts, 1, 4, 3, Sample())
        texts = completions(drawn, model.tokenizer, model.end_tokens())
        mean = models["reward"].score(prompts, texts).mean()
        assert float(line.rpartition(" ")[2]) == pytest.approx(mean, abs=6e-5)
    pattern = r"wins over .*: [\d.]+, standard error [\d.]+, ties [\d.]+, 2 prompts"
    assert re.search(pattern, lines[2])
    again, _ = run(
        *("compare", "one", "one", "--judge", "classifier", "--label", "good"),
        *options,
        stdin="the cat\na dog\n",
    )
    assert ": 0.5000, standard error 0.0000, ties 1.0000" in again[2]


@pytest.mark.slow
def test_the_best_of_several_is_shown(run, models):
    lines, said = run(
        *("sample", "one", "--prompt", "the ", "--best-of", 4, "--judge", "reward"),
        *("--max-length", 4, "--seed", 5),
    )
    judge = RewardJudge(models["reward"])
    found = sampled(models["one"], ["the "], judge, 4, 4, 5)
    (best,) = found.best()
    # What was cut has no end token, by which a reward model knows whole texts.
    cut = judge.score(["the "] * 4, found.completions, found.rollout.ended)
    assert not found.rollout.ended.all()
    np.testing.assert_allclose(found.ratings.total, cut, rtol=1e-5)
    assert "\n".join(lines) == "the " + found.completions[best]
    assert f"score {found.ratings.total[best]:.4f}" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "one", "x"], "`score` does not fit"),
        (["compare", "one", "other", "--judge", "one"], "`--judge` must be a reward"),
        (["compare", "one", "other", "--judge", "classifier"], "`--label` must be giv"),
        (
            ["compare", "one", "other", "--judge", "reward", "--label", "good"],
            "`--label` must be left out",
        ),
        (
            ["compare", "one", "other", "--judge", "classifier", "--label", "x"],
            "`label` must be one of",
        ),
        (["compare", "reward", "one", "--judge", "reward"], "models that write text"),
        (["sample", "one", "--prompt", "x", "--best-of", 2], "`--judge` must be given"),
        (
            ["sample", "one", "--prompt", "x", "--best-of", 2, "--top-k", 3],
            "`--top-k` must be left out with --best-of",
        ),
        (["sample", "one", "--best-of", 2, "--judge", "reward"], "`--prompt` must be"),
    ],
)
def test_what_does_not_go_together_is_one_line(run, arguments, message):
    _, error = run(*arguments, stdin="the cat\n")
    assert message in error
    assert error.count("\n") == 1


def test_prompts_must_be_there(run):
    _, error = run("compare", "one", "other", "--judge", "reward", stdin="\n\n")
    assert "`--prompts` must have at least one line" in error
