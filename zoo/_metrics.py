"""What the figures of results are called, and which way they are better."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """One kind of figure.

    Args:
        label: str, with its unit.
        more_is_better: bool.
    """

    label: str
    more_is_better: bool = False

    @property
    def title(self):
        """The label and the direction, for headings and axes."""
        return f"{self.label}, {'more' if self.more_is_better else 'less'} is better"

    def loss(self, value):
        """A number that is less, the better a value is."""
        return -value if self.more_is_better else value

    def worse(self, value, recorded):
        """How much worse a value is than a recorded one; negative if it is better."""
        return self.loss(value) - self.loss(recorded)


# The first figure of every entry begins with one of these names.
METRICS = {
    "absolute_error": Metric("mean absolute error of pixels in [0, 1]"),
    "bleu": Metric("BLEU", more_is_better=True),
    "captions_right": Metric("captions that fit, share", more_is_better=True),
    "correlation": Metric("correlation with cosines wanted", more_is_better=True),
    "detection": Metric("real told from made, area under the curve, at best 0.5"),
    "digits_heard": Metric("spoken digits understood, share", more_is_better=True),
    "even": Metric("pictures of even digits, share", more_is_better=True),
    "exact_match": Metric("exact match, share", more_is_better=True),
    "frechet_distance": Metric("Frechet distance of features"),
    "kernel_distance": Metric("kernel distance of features"),
    "legs_right": Metric("legs as asked, share", more_is_better=True),
    "log_mel_distance": Metric("mean difference of log-mels, nats, unseen sounds"),
    "nats_per_character": Metric("nats a character of unseen text"),
    "nats_per_code": Metric("nats a code of unseen pictures"),
    "nats_per_frame": Metric("nats a frame of unseen pieces, keys independent"),
    "nats_per_hidden_token": Metric("nats a hidden token of unseen text"),
    "nats_per_note": Metric("nats a note of unseen pieces, voice by voice"),
    "pair_accuracy": Metric("pairs in the right order, share", more_is_better=True),
    "praise": Metric("completions of praise, share", more_is_better=True),
    "psnr": Metric("peak signal-to-noise ratio, dB", more_is_better=True),
    "recall_at_5": Metric("pictures found by caption, share", more_is_better=True),
    "reconstruction": Metric("squared error over variance, unseen pictures"),
    "rouge": Metric("ROUGE", more_is_better=True),
    "solved": Metric("problems solved, share", more_is_better=True),
    "test_accuracy": Metric("accuracy on the test set, share", more_is_better=True),
    "test_loss": Metric("loss on the test set, nats a picture"),
    "test_nats_per_character": Metric("nats a character of the test text"),
    "test_nats_per_sample": Metric("nats a sample of the test sounds"),
    "tones_right": Metric("skin tones as asked, share", more_is_better=True),
    "tstr": Metric("train on synthetic, test on real", more_is_better=True),
    "word_error_rate": Metric("word error rate, share"),
    "training_loss": Metric("loss on the training data, nats a picture"),
}


def metric(name):
    """The `Metric` that a figure is of.

    Args:
        name: str, a name in `METRICS`, which may go on after an underscore or digits.

    Raises:
        ValueError: if nobody has said which way it is better.
    """
    known = [each for each in METRICS if name.startswith(each)]
    if not known:
        raise ValueError(
            f"`metric` must begin with one of {', '.join(METRICS)}. Received: {name}"
        )
    return METRICS[max(known, key=len)]
