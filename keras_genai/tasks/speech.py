"""A model that is told in tokens what to write of a sound: Whisper's way to work."""

import dataclasses
import re
from typing import ClassVar

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_flag
from keras_genai.data.arguments import check_count
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.data.parallel_text import pair_batch
from keras_genai.modalities.audio import Audio
from keras_genai.registry import register
from keras_genai.samplers.session import Session
from keras_genai.tasks.seq2seq import TRANSCRIBING, Seq2SeqLM
from keras_genai.tasks.sources import Sources, is_one

BATCH = 8  # windows that are heard at once
_LEAST = 0.1  # seconds; what is left over of a long sound and shorter is not heard
_LANGUAGE = re.compile(r"<\|[a-z]{2,3}\|>")


@register
@dataclasses.dataclass(frozen=True)
class SpeechPrompt:
    """The tokens between the decoder's start token and a text.

    They are a language, a task and `no_timestamps`, as far as there are any; a model
    of one language has no languages, and hence no tasks.

    Args:
        languages: tuple of str. Codes of languages, such as `"en"`.
        language_tokens: tuple of int. Their tokens, one for each.
        transcribe: int or `None`. The token of a text in the language of the sound.
        translate: int or `None`. The token of an English text.
        no_timestamps: int or `None`. The token of a text without times.
        language: str or `None`. A code in `languages`, of sounds of which nobody says
            their language; without one, it is detected.

    Raises:
        TypeError: if a token is not an int.
        ValueError: if one is negative, if there are not as many as languages, or if
            `language` is not one of them.
    """

    languages: tuple[str, ...] = ()
    language_tokens: tuple[int, ...] = ()
    transcribe: int | None = None
    translate: int | None = None
    no_timestamps: int | None = None
    language: str | None = None

    def __post_init__(self):
        for name in ("languages", "language_tokens"):  # a file has lists for these
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for token in self.known:
            check_count("token", token, 0)
        if len(self.languages) != len(self.language_tokens):
            raise ValueError(
                f"`language_tokens` must be {len(self.languages)}, one for each of the "
                f"languages. Received: {len(self.language_tokens)}"
            )
        if self.languages and self.language is not None:
            self.language_token(self.language)

    @property
    def known(self):
        """list of int: all tokens that there are."""
        others = self.transcribe, self.translate, self.no_timestamps
        return [t for t in (*self.language_tokens, *others) if t is not None]

    @staticmethod
    def is_language(text):
        """Whether this is how a token of a language is spelled: `<|en|>`."""
        return _LANGUAGE.fullmatch(text) is not None

    def check(self, vocabulary_size):
        """Raises unless all tokens are below `vocabulary_size`.

        Raises:
            ValueError: if one is not.
        """
        if self.known and max(self.known) >= vocabulary_size:
            raise ValueError(
                f"`prompt` must be of tokens below {vocabulary_size}. "
                f"Received: {max(self.known)}"
            )

    def tokens(self, language=None, translate=False):
        """list of int: what stands before a text.

        Args:
            language: str or `None` (the prompt's own).
            translate: bool.

        Raises:
            ValueError: if the model does not know the language, or cannot translate.
        """
        language = language or self.language
        task = self.translate if translate else self.transcribe
        if translate and (task is None or not self.languages):
            raise ValueError(
                "`translate` must be False: the model has no token for it. "
                "Received: translate=True"
            )
        found = []
        if self.languages:
            found = [self.language_token(language), task]
        elif language is not None:
            self.language_token(language)
        return [token for token in (*found, self.no_timestamps) if token is not None]

    def language_token(self, language):
        """int: the token of a language.

        Raises:
            ValueError: if the model does not know it.
        """
        if language not in self.languages:
            known = ", ".join(self.languages) or "None, because the model knows one"
            raise ValueError(
                f"`language` must be one of {known}. Received: {language!r}"
            )
        return self.language_tokens[self.languages.index(language)]

    def get_config(self):
        return dataclasses.asdict(self)


@register
class SpeechSeq2SeqLM(Seq2SeqLM):
    """A `Seq2SeqLM` of sounds that is told their language and whether to translate.

    Args:
        network: `keras_genai.networks.sequence_pair.SequencePairNetwork`.
        target: `Text`, with its tokenizer if there is one.
        given: `Mel` with a `length`, that of the windows that are heard.
        generation, turns: see `Seq2SeqLM`.
        prompt: `SpeechPrompt`.

    Call arguments and returns: see `Seq2SeqLM`; `inputs` is float `(B, S, bands)`.

    Raises:
        ValueError: if `given` has no `length`, or if a token of the prompt is none of
            the vocabulary.

    Reference: Radford et al. 2022, section 2.3, https://arxiv.org/abs/2212.04356
    """

    prompt: SpeechPrompt = SpeechPrompt()

    verbs: ClassVar = TRANSCRIBING

    def check(self):
        super().check()
        if not self.given or getattr(self.given[0], "length", None) is None:
            raise ValueError(
                "`given` must be a Mel with a `length`, in frames. "
                f"Received: {self.given!r:.80}"
            )

    def make(self):
        super().make()
        self.prompt.check(self.vocabulary_size)

    def loader(
        self,
        pairs,
        batch_size=8,
        length=None,
        shuffle=True,
        seed=0,
        language=None,
        translate=False,
    ):
        """Batches for `fit` of sounds of at most one window, and what is said in them.

        Args:
            pairs: list, generator or data set of pairs: what `Audio.read` takes of one
                sound, such as a path, and str.
            batch_size: int.
            length: int or `None` (the longest). Most tokens of a text, its prompt
                included.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.
            language: str or `None` (that of the prompt). Of all of the sounds.
            translate: bool. Whether the texts are English, and the sounds are not.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if the model has no tokenizer, a sample is no pair, a sound is
                too long, or a language must be named.
        """
        sounds, texts = columns(as_rows(pairs, "pairs"), 2, "pairs")
        mels = self.given[0].read(sounds, "pairs")
        before = self.prompt.tokens(language, translate)
        spoken = self.target.read(texts, "pairs")
        if self.tokenizer is not None:  # a published one would frame them
            spoken = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        rows = [np.append(before, row).astype("int32") for row in spoken]
        most = min(length or self.context, self.context)
        longest = min(most, max(map(len, rows)) + 1)
        collate = pair_batch(
            self.tokenizer,
            (mels.shape[1], longest),
            self._start_token(),
            (None, longest),
        )
        pairs = list(zip(mels, rows, strict=True))
        return in_batches(pairs, len(pairs), batch_size, shuffle, seed, collate)

    def transcribe(
        self,
        sounds,
        sampler=None,
        max_length=None,
        batch_size=BATCH,
        language=None,
        translate=False,
    ):
        """What is said in sounds of any length.

        They are heard in windows of as many frames as `given` has, each by itself, so
        that a word at the end of one may be lost.

        Args:
            sounds: a path, samples `(T,)`, or several of them; see `Audio.read`.
            sampler: `Greedy`, `Sample` or `Beam`, with its own rules; or `None`, what
                `generation` says.
            max_length: int or `None` (that of `generation`). Tokens of a window at
                most, start token and prompt included.
            batch_size: int. Windows that are heard at once.
            language: str or `None`: a code such as `"de"`, of all of the sounds. By
                itself it is what the prompt says, or else detected in the first window
                of each.
            translate: bool. Whether the text is to be English.

        Returns:
            str, or a list of str for several sounds; int32 arrays without a tokenizer.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if a sound is not as it must be, or has no samples, if the model
                does not know the language, or if it cannot translate.
        """
        check_flag("translate", translate)
        check_count("batch_size", batch_size)
        waves, single = self._waves(sounds)
        languages = [language or self.prompt.language] * len(waves)
        if self.prompt.languages and languages[0] is None:
            languages = self._detected(waves, batch_size)
        windows = [self._windows(wave) for wave in waves]
        owners = [owner for owner, cut in enumerate(windows) for _ in cut]
        pieces = [piece for cut in windows for piece in cut]
        found = [[] for _ in waves]
        for first in range(0, len(pieces), batch_size):
            heard = self._heard(pieces[first : first + batch_size])
            whose = owners[first : first + batch_size]
            starts = self._starts([languages[owner] for owner in whose], translate)
            written = self._write(heard, starts, max_length, sampler)
            for owner, tokens in zip(whose, written, strict=True):
                found[owner].append(tokens)
        texts = [self._text(parts) for parts in found]
        return texts[0] if single else texts

    def detect_language(self, sounds, batch_size=BATCH):
        """The language of sounds, as far as their first window tells.

        Args:
            sounds: see `transcribe`.
            batch_size: int. Windows that are heard at once.

        Returns:
            str, a code such as `"de"`, or a list of them for several sounds.

        Raises:
            OSError, ValueError: see `transcribe`; also if the model knows one language.
        """
        check_count("batch_size", batch_size)
        if not self.prompt.languages:
            raise ValueError(
                "`prompt.languages` must have languages to tell apart. Received none"
            )
        waves, single = self._waves(sounds)
        found = self._detected(waves, batch_size)
        return found[0] if single else found

    def read_source(self, inputs):
        sources = Sources(self.given[0], inputs, self.tokenizer)
        mels = tf.constant(np.stack(sources.rows))
        return sources, (mels, tf.ones(mels.shape[:2], "bool"))

    def starts(self, tensors):
        languages = [self.prompt.language] * len(tensors[0])
        if self.prompt.languages and languages[0] is None:
            languages = self._languages(tensors)
        return self._starts(languages, translate=False)

    def _starts(self, languages, translate):
        """list of int32 arrays: start token and prompt, for each of some languages."""
        start = self._start_token()
        return [
            np.array([start, *self.prompt.tokens(language, translate)], "int32")
            for language in languages
        ]

    def _languages(self, heard):
        """list of str: the likeliest language of each window."""
        names, tokens = self.prompt.languages, self.prompt.language_tokens
        start = np.full((len(heard[0]), 1), self._start_token(), "int32")
        logits = self.network.read(start, self.network.encode(*heard))
        likeliest = np.asarray(logits)[:, 0, list(tokens)].argmax(axis=1)
        return [names[place] for place in likeliest]

    def _detected(self, waves, batch_size):
        """list of str: the language of each sound, as its first window tells."""
        found = []
        for first in range(0, len(waves), batch_size):
            chosen = waves[first : first + batch_size]
            heard = self._heard([self._windows(wave)[0] for wave in chosen])
            found += self._languages(heard)
        return found

    def _waves(self, sounds):
        """list of float32 `(T,)`, and whether there was one outside of a list."""
        single = is_one(sounds)
        waves = Audio(self.given[0].rate).read(sounds, "sounds")
        return waves, single

    def _windows(self, wave):
        """list of float32 arrays: a sound in pieces that are heard one by one."""
        mel = self.given[0]
        size, least = mel.length * mel.hop, _LEAST * mel.rate
        cut = [wave[first : first + size] for first in range(0, len(wave), size)]
        return [piece for piece in cut if len(piece) >= least] or cut[:1]

    def _heard(self, pieces):
        """What the encoder reads of windows: float32 `(B, S, bands)`, bool `(B, S)`."""
        mels = tf.constant(self.given[0].read(pieces, "sounds"))
        return mels, tf.ones(mels.shape[:2], "bool")

    def _write(self, heard, starts, max_length, sampler):
        """list of int32 arrays: the tokens of each window, its end left out."""
        if sampler is None:
            sampler = self.generation.sampler(len(starts[0]))
        max_length = self._check_generate(max_length, sampler)
        if max_length <= len(starts[0]):
            raise ValueError(
                f"`max_length` must be above {len(starts[0])}, the start token and the "
                f"prompt. Received: max_length={max_length}"
            )
        stops, _ = self.stops(())
        session = Session(self, starts, sampler, max_length, stops, 0, heard)
        while not session.done.all():
            session.advance()
        rows = [session.generated(row) for row in range(len(starts))]
        return [row[:-1] if len(row) and row[-1] in stops else row for row in rows]

    def _text(self, parts):
        """One text of the tokens of all windows of a sound."""
        if self.tokenizer is None:
            return np.concatenate(parts)
        texts = [self.tokenizer.decode(part).strip() for part in parts]
        return " ".join(filter(None, texts))
