"""What models write, judged by others: the verbs `compare` and `score`."""

from zoo._command import input_lines
from zoo._opening import locate, open_model

LENGTH = 48  # tokens of a completion
BATCH = 64  # prompts that are answered at once


def compare(options):
    """Lets a judge compare what two models write behind the same prompts.

    A judge is a reward model; or a classifier, with the class that is the better one. A
    win rate of 0.5 says that no model is better, a tie is half a win, and the standard
    error is that over prompts.
    """
    prompts = _prompts(options)
    judge = open_judge(options.judge, options.label)
    from keras_genai.evaluation.preference import judged, win_rate

    scores = []
    for name in (options.first, options.second):
        model = _writer(name)
        texts = _written(model, prompts, options)
        scores.append(judged(judge, prompts, texts))
        print(f"{name}: mean score {scores[-1].mean():.4f}")
    found = win_rate(*scores)
    print(
        f"{options.first} wins over {options.second}: {found.value:.4f}, standard "
        f"error {found.error:.4f}, ties {found.ties:.4f}, {found.prompts} prompts"
    )


def score(options):
    """Prints what a reward model says of each text, the better the larger."""
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "score", options.weights)
    from zoo._tasks import print_each

    def work(texts):
        return (f"{value:.4f}" for value in scores_of(model, texts, options.prompt))

    print_each(options.text, work)


class RewardJudge:
    """A `RewardModel` as a judge, also of what goes on in the middle of a word.

    Args:
        model: `RewardModel`.
    """

    def __init__(self, model):
        self.model = model

    def score(self, prompts, completions, ended=True):
        """float32 `(N,)` of two lists of str; see `RewardModel.score`."""
        from zoo._alignment import text_scores

        if not self.model.reads_as_written:
            return self.model.score(prompts, completions)
        pairs = zip(prompts, completions, strict=True)
        return text_scores(self.model, [a + b for a, b in pairs], ended)


def scores_of(model, texts, prompt=None):
    """What a `RewardModel` says of completions, or of whole texts.

    Args:
        model: `RewardModel`.
        texts: list of str.
        prompt: str before each, or `None`: there is none.
    """
    from zoo._alignment import text_scores

    if prompt is None and model.reads_as_written:
        return text_scores(model, texts, begins=True)
    return RewardJudge(model).score([prompt or ""] * len(texts), texts)


def open_judge(name, label=None):
    """A model that can judge, which has `score`.

    Args:
        name: str: an entry, a folder or a name on the hub.
        label: str, the class of a classifier that is the better one, or `None`.

    Raises:
        ValueError: if the model is neither, or the label does not fit.
    """
    from keras_genai.evaluation.judges import ClassifierJudge

    model = open_model(locate(name), name, "sample")
    is_classifier = "classify" in model.verbs
    if "score" not in model.verbs and not is_classifier:
        raise ValueError(
            "`--judge` must be a reward model or a classifier. Received: "
            f"{name}, a {type(model).__name__}"
        )
    if is_classifier != (label is not None):
        takes = "given with" if is_classifier else "left out for"
        raise ValueError(
            f"`--label` must be {takes} {name}, a {type(model).__name__}. "
            f"Received: {label}"
        )
    return ClassifierJudge(model, label) if is_classifier else RewardJudge(model)


def _writer(name):
    model = open_model(locate(name), name, "sample")
    if not getattr(model.target, "generated", False) or model.tokenizer is None:
        raise ValueError(
            f"`name` must be of models that write text. Received: {name}, a "
            f"{type(model).__name__}"
        )
    return model


def _prompts(options):
    """Prompts, one a line of a file or of standard input."""
    from keras_genai.files.paths import as_path
    from keras_genai.files.text import lines, read_text

    if options.prompts is None:
        found = [line.rstrip("\n") for line in input_lines()]
    else:
        found = lines(read_text(as_path(options.prompts, "--prompts")))
    found = [line for line in found if line.strip()]
    if not found:
        raise ValueError(
            "`--prompts` must have at least one line that is not empty. Received none"
        )
    return found


def _written(model, prompts, options):
    """What a model writes behind prompts, list of str."""
    from keras_genai.samplers.rollouts import completions, roll
    from keras_genai.samplers.tokens import Sample

    length, stops = options.max_length or LENGTH, model.end_tokens()
    found = []
    for begin in range(0, len(prompts), BATCH):
        part = prompts[begin : begin + BATCH]
        drawn = roll(
            model, part, 1, length, options.seed + begin, Sample(options.temperature)
        )
        found += completions(drawn, model.tokenizer, stops)
    return found
