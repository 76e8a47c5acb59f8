"""What a folder of sentence-transformers says beside the encoder.

modules.json lists modules, each with a folder of its own: an encoder, a pooling, dense
layers, a normalisation. Everything there is followed, known to change nothing, or
refused.

Reference: https://sbert.net, "Creating Custom Models"; sentence-transformers
"""

import dataclasses
import pathlib
import warnings

from keras_genai.convert.mapping import linear
from keras_genai.convert.reading import read_list, read_object
from keras_genai.convert.tensors import Tensors
from keras_genai.declared import fields
from keras_genai.layers.token_pooling import POOLINGS
from keras_genai.tasks.embedding import SIMILARITIES, SentenceEmbedder
from keras_genai.tasks.presets import PresetError

MODULES, MAIN = "modules.json", "config_sentence_transformers.json"
LIMITS = tuple(
    f"sentence_{name}_config.json"
    for name in (
        *("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta"),
        "xlnet",
    )
)
_IDLE = {
    # 1_Pooling
    "word_embedding_dimension": None,
    "embedding_dimension": None,
    "include_prompt": (None, True),
    # config_sentence_transformers.json
    "__version__": None,
    "model_type": (None, "SentenceTransformer"),
    "truncate_dim": (None,),
    # sentence_bert_config.json
    "transformer_task": (None, "feature-extraction"),
    "modality_config": None,
    "module_output_name": (None, "token_embeddings", "sentence_embedding"),
    "module_input_name": (None, "sentence_embedding"),
    "config_args": (None, {}),
    "model_args": (None, {}),
    "tokenizer_args": (None, {}),
    "processing_kwargs": (None, {}),
}
_TORCH = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "Sigmoid": "sigmoid",
    "SiLU": "silu",
}


@dataclasses.dataclass(frozen=True)
class Sentence:
    """What the modules of a folder ask for.

    Attributes:
        arguments: dict, arguments of `SentenceEmbedder`.
        body: path of the encoder's folder.
        dense: list of `Tensors`, of each dense layer.
    """

    arguments: dict
    body: pathlib.Path
    dense: list


def has_modules(folder):
    """Whether a folder is one of sentence-transformers."""
    return read_list(folder, MODULES) is not None


def body_of(folder):
    """The path of the encoder: the folder itself, or one in it, as before 2021."""
    modules = read_list(folder, MODULES) or [{"path": ""}]
    first = modules[0]
    return _inside(folder, first.get("path", "") if isinstance(first, dict) else None)


def read_sentence(folder, body, options):
    """Reads all that is said beside the encoder.

    Args:
        folder: path.
        body: path of the encoder's folder.
        options: dict, the options of its tokenizer.

    Returns:
        `Sentence`.

    Raises:
        PresetError: if a module is not one that is known here.
    """
    arguments, dense = _read_modules(folder)
    arguments |= _read_limits(body, options)
    main = read_object(folder, MAIN) or {}
    _check_idle(
        folder / MAIN, main, {"prompts", "default_prompt_name", "similarity_fn_name"}
    )
    prompts = main.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        isinstance(text, str) for text in prompts.values()
    ):
        raise PresetError(f"{folder / MAIN}: `prompts` must be a dict of str")
    similarity = main.get("similarity_fn_name") or "cosine"
    if similarity not in SIMILARITIES:
        raise PresetError(
            f"{folder / MAIN}: `similarity_fn_name` must be one of "
            f"{', '.join(SIMILARITIES)}. Received: {str(similarity)[:40]}"
        )
    arguments |= {
        "prompts": prompts,
        "default_prompt": main.get("default_prompt_name"),
        "measure": similarity,
    }
    return Sentence(arguments, body, dense)


class Joined:
    """The tensors of an encoder and of the dense layers behind it, as one store."""

    def __init__(self, tensors, dense):
        self._stores = {name: (tensors, name) for name in tensors.shapes}
        for index, layer in enumerate(dense):
            for name in layer.shapes:
                self._stores[f"dense_{index}.{name}"] = layer, name
        self.shapes = {
            name: store.shapes[inner] for name, (store, inner) in self._stores.items()
        }

    def read(self, name, dtype="float32"):
        store, inner = self._stores[name]
        return store.read(inner, dtype)


def check_plain(model):
    """Raises unless a `SentenceEmbedder` is a mean: more needs folders in the folder.

    Raises:
        ValueError: if it is more.
    """
    usual = fields(SentenceEmbedder)
    own = [key for key in usual if key not in ("network", "given", "pooling")]
    others = [key for key in own if getattr(model, key) != usual[key].default]
    if model.pooling != ("mean",):
        others.append("pooling")
    if others:
        raise ValueError(f"{', '.join(others)} must be as they are by themselves")


def head(model):
    """Rules of the dense layers."""
    return [
        rule
        for index, (_, _, use_bias) in enumerate(model.dense)
        for rule in linear(f"dense_{index}", f"dense_{index}.linear", use_bias)
    ]


def _read_modules(folder):
    """Arguments of pooling, dense layers and normalisation; the dense tensors."""
    modules = read_list(folder, MODULES)
    if modules is None:
        return {}, []
    kinds = [_kind(folder, module) for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise PresetError(
            f"{folder / MODULES} must begin with Transformer and Pooling. "
            f"Received: {', '.join(kinds)[:120]}"
        )
    found = {"normalize": False, "dense": []}
    dense = []
    for kind, module in list(zip(kinds, modules, strict=True))[1:]:
        path = _inside(folder, module.get("path", ""))
        if found["normalize"] and kind != "Dropout":
            raise PresetError(f"{folder / MODULES}: nothing may come after Normalize")
        if kind == "Pooling" and "pooling" not in found:
            found["pooling"] = _read_pooling(path)
        elif kind == "Dense":
            found["dense"].append(_read_dense(path))
            dense.append(_dense_tensors(path, found["dense"][-1]))
        elif kind == "Normalize":
            found["normalize"] = True
        elif kind != "Dropout":
            raise PresetError(f"{folder / MODULES}: {kind} is not read here")
    return found, dense


def _kind(folder, module):
    name = module.get("type") if isinstance(module, dict) else None
    if not isinstance(name, str) or not name.startswith("sentence_transformers."):
        raise PresetError(
            f"{folder / MODULES}: `type` must be of sentence_transformers. "
            f"Received: {str(name)[:60]}"
        )
    return name.rpartition(".")[2]


def _inside(folder, name):
    """The path of a module's folder, which must be in the folder itself."""
    if not isinstance(name, str) or name in (".", "..") or set(name) & set("/\\\0"):
        raise PresetError(
            f"{folder / MODULES}: `path` must be a folder beside it. "
            f"Received: {str(name)[:60]!r}"
        )
    return folder / name


def _read_pooling(path):
    config = read_object(path, "config.json")
    if config is None:
        raise PresetError(f"{path} has no config.json")
    keys = {
        "cls": "pooling_mode_cls_token",
        "max": "pooling_mode_max_tokens",
        "mean": "pooling_mode_mean_tokens",
        "mean_sqrt_len": "pooling_mode_mean_sqrt_len_tokens",
        "weightedmean": "pooling_mode_weightedmean_tokens",
        "lasttoken": "pooling_mode_lasttoken",
    }
    _check_idle(path / "config.json", config, {*keys.values(), "pooling_mode"})
    mode = config.get("pooling_mode")
    if mode is not None:
        names = [mode] if isinstance(mode, str) else mode
    else:  # the mean, if nothing is said of it
        names = [
            name
            for name, key in keys.items()
            if config.get(key, name == "mean") is True
        ]
    if not isinstance(names, list) or not names or not set(names) <= POOLINGS.keys():
        raise PresetError(
            f"{path / 'config.json'}: the pooling must be one or several of "
            f"{', '.join(POOLINGS)}. Received: {str(config)[:200]}"
        )
    return names


def _read_dense(path):
    config = read_object(path, "config.json") or {}
    known = {"in_features", "out_features", "bias", "activation_function"}
    _check_idle(path / "config.json", config, known)
    units, name = config.get("out_features"), config.get("activation_function")
    name = str(name or "torch.nn.modules.activation.Tanh").rpartition(".")[2]
    if type(units) is not int or not 1 <= units <= 2**16 or name not in _TORCH:
        raise PresetError(
            f"{path / 'config.json'}: `out_features` must be an int from 1 to 65536, "
            f"`activation_function` one of {', '.join(_TORCH)}. "
            f"Received: {str(units)[:20]}, {name[:40]}"
        )
    return units, _TORCH[name], config.get("bias") is not False


def _dense_tensors(path, layer):
    tensors = Tensors(path)
    names = {"linear.weight", "linear.bias"} if layer[2] else {"linear.weight"}
    if tensors.shapes.keys() != names:
        raise PresetError(
            f"{path} must have the tensors {', '.join(sorted(names))}. "
            f"Received: {', '.join(sorted(tensors.shapes))[:120]}"
        )
    return tensors


def _read_limits(body, options):
    """The longest text, and whether its case counts."""
    name = next((name for name in LIMITS if read_object(body, name) is not None), None)
    limits = {} if name is None else read_object(body, name)
    _check_idle(body / (name or LIMITS[0]), limits, {"max_seq_length", "do_lower_case"})
    length = limits.get("max_seq_length")
    if length is None:
        length = options.get("model_max_length")
    if length is not None and (type(length) is bool or not length >= 1):
        raise PresetError(f"{body}: `max_seq_length` must be at least 1")
    if length is not None and length > 2**22:  # how files say that there is no limit
        length = None
    return {
        "max_length": None if length is None else int(length),
        "lowercase": limits.get("do_lower_case") is True,
    }


def _check_idle(path, config, known):
    """Refuses what changes a vector, and warns of what nobody here has heard of."""
    unknown = []
    for key, value in config.items():
        if key in known or (key in _IDLE and _IDLE[key] is None):
            continue
        if key not in _IDLE:
            unknown.append(key[:40])
        elif value not in _IDLE[key]:
            raise PresetError(
                f"{path}: `{key}` must be one of {_IDLE[key]}. "
                f"Received: {str(value)[:60]}"
            )
    if unknown:
        warnings.warn(
            f"{path}: keys that are not known here are left out: {unknown[:20]}",
            stacklevel=2,
        )
