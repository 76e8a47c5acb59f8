"""The schema of an encoder's config.json."""

from typing import Annotated, ClassVar, Literal

import pydantic

from keras_genai.convert.labels import LabelledSettings
from keras_genai.convert.mapping import Count, Depth, Rate

Epsilon = Annotated[float, pydantic.Field(gt=0, lt=1)]
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
HARMLESS = {
    # Where the file came from.
    *("processor_class", "language", "name", "custom_pipelines", "model_name"),
    *("adapters", "max_seq_length", "do_lower_case", "sentence_transformers"),
    *("sbert_ce_default_activation_function", "version"),
    # How it is computed, and what else is returned.
    *("xla_device", "chunk_size_feed_forward", "output_past", "use_return_dict"),
    # How training begins, and dropout that there is none of here.
    *("initializer_factor", "attention_probs_dropout_prob"),
    # Names of tokens and labels: the tokenizer knows the former.
    *("eos_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "_num_labels"),
    # BERT's first releases for many languages; no class reads them.
    *("directionality", "pooler_fc_size", "pooler_num_attention_heads"),
    *("pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"),
    "tie_encoder_decoder",
    "eos_token_ids",  # before 2.9
}


class EncoderSettings(LabelledSettings):
    """The settings of an encoder that change its numbers, as BERT calls them."""

    harmless: ClassVar[set] = HARMLESS
    fixed: ClassVar[dict] = {
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "is_encoder_decoder": False,
        "add_cross_attention": False,
        "pruned_heads": {},
        "quantization_config": None,
    }

    vocab_size: Count = 30522
    hidden_size: Count = 768
    num_hidden_layers: Depth = 12
    num_attention_heads: Count = 12
    intermediate_size: Count = 3072
    hidden_act: Literal[*ACTIVATIONS] = "gelu"
    hidden_dropout_prob: Rate = 0.1
    classifier_dropout: Rate | None = None
    max_position_embeddings: Count = 512
    type_vocab_size: Count = 2
    layer_norm_eps: Epsilon = 1e-12
    tie_word_embeddings: bool = True

    @property
    def depths(self):
        return {"depth": self.num_hidden_layers}

    @property
    def context(self):
        """int: the longest sequence."""
        return self.max_position_embeddings

    @pydantic.model_validator(mode="after")
    def _check(self):
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                "`hidden_size` must be a multiple of `num_attention_heads`. "
                f"Received: {self.hidden_size} and {self.num_attention_heads}"
            )
        if self.context < 1:
            raise ValueError(
                "`max_position_embeddings` must have room for a token behind "
                f"`pad_token_id`. Received: {self.max_position_embeddings}"
            )
        return self

    @property
    def head_dropout(self):
        """float: dropout of a head that says a label of a text."""
        own = self.classifier_dropout
        return self.hidden_dropout_prob if own is None else own

    @property
    def guess_bias(self):
        """bool: whether each token has a bias in a head that guesses tokens."""
        return True

    @property
    def token_dropout(self):
        """float: dropout of a head that says labels of tokens."""
        return self.head_dropout


def activation_name(activation):
    """What config.json calls an activation of ours."""
    return next(name for name, own in ACTIVATIONS.items() if own == activation)
