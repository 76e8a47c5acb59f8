"""Schemas that know every key of a config.json: no key is read past in silence."""

import warnings
from typing import ClassVar

import pydantic

from keras_genai.convert.mapping import Settings

# What changes no number in any family.
HARMLESS = {
    # Where the file came from.
    *("architectures", "model_type", "transformers_version", "_name_or_path"),
    *("name_or_path", "_commit_hash", "auto_map", "tokenizer_class"),
    *("finetuning_task", "task_specific_params", "torchscript", "prefix"),
    # How it is computed, what else is returned, and how training begins.
    *("dtype", "torch_dtype", "use_bfloat16", "attn_implementation"),
    *("_attn_implementation", "_attn_implementation_autoset", "use_cache"),
    *("gradient_checkpointing", "output_attentions", "output_hidden_states"),
    *("return_dict", "tf_legacy_loss", "initializer_range"),
    # Names of tokens and labels: the tokenizer knows the former.
    *("pad_token_id", "bos_token_id", "sep_token_id", "decoder_start_token_id"),
    "label2id",
    # How texts are drawn, which all models had before there was generation_config.json.
    *("max_length", "min_length", "do_sample", "early_stopping", "num_beams"),
    *("num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p"),
    *("typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size"),
    *("encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences"),
    *("output_scores", "return_dict_in_generate", "forced_bos_token_id"),
    *("forced_eos_token_id", "remove_invalid_values", "suppress_tokens"),
    *("exponential_decay_length_penalty", "begin_suppress_tokens"),
    "cross_attention_hidden_size",
}


# Of preprocessor_config.json: which class made it, and what a call does with batches.
PREPROCESSOR = {
    *("feature_extractor_type", "image_processor_type", "processor_class", "auto_map"),
    *("_processor_class", "return_tensors", "device", "data_format"),
    *("input_data_format", "_valid_processor_keys"),
}


class KnownSettings(Settings):
    """A schema whose keys are honoured, known to change no number, or refused.

    Of any other there is a warning.

    Attributes:
        harmless: set of str, keys beside `HARMLESS` that change no number in a kind of
            models, such as decoders.
        idle: set of str, those that change none in one family.
    """

    harmless: ClassVar[set] = set()
    idle: ClassVar[set] = set()

    @classmethod
    def known_keys(cls):
        """set of str: the keys that there is no warning of."""
        read = {
            field.validation_alias or name for name, field in cls.model_fields.items()
        }
        return HARMLESS | cls.harmless | cls.idle | cls.fixed.keys() | read

    @pydantic.model_validator(mode="before")
    @classmethod
    def _warn_of_unknown(cls, values):
        warn_of_unknown(values or (), cls.known_keys(), "config.json")
        return values


def warn_of_unknown(values, known, name):
    """Warns of keys that nobody here has heard of.

    Args:
        values: dict, what a file says.
        known: set of str.
        name: str, the file.
    """
    unknown = [key[:40] for key in values if key not in known]
    if unknown:
        warnings.warn(
            f"settings of {name} that are not known here are left out: {unknown[:20]}",
            stacklevel=3,
        )
