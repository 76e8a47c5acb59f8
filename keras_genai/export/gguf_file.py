"""GGUF: language models and encoders in the file that llama.cpp and Ollama read."""

import numpy as np

from keras_genai.checks import check_one_of
from keras_genai.convert.huggingface import described
from keras_genai.data.template_turns import TemplateTurns
from keras_genai.export import gguf_families
from keras_genai.export.comparing import ExportError
from keras_genai.export.extras import need
from keras_genai.export.files import file_at
from keras_genai.export.gguf_tokenizer import write_tokenizer
from keras_genai.export.modelfile import modelfile
from keras_genai.files.writing import replacing, write_text
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.language import CausalLM

DTYPES = {"f32": "F32", "f16": "F16", "q8_0": "Q8_0"}
FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0"}
# Tables that llama.cpp adds to others, in 32 bits always.
WHOLE = ("position_embd.weight", "token_types.weight", "rope_freqs.weight")
SHARE = {"f32": 0.0, "f16": 1e-3, "q8_0": 1e-2}  # of the largest number, lost at most


def write(model, path, dtype="f32"):
    """Writes a GGUF and a Modelfile beside it, and reads the former again.

    Args:
        model: `CausalLM`, `SentenceEmbedder` or `FeatureExtractor`.
        path: path of the file, which ends with .gguf.
        dtype: str, of the matrices: `"f32"`, `"f16"` or `"q8_0"`, 8-bit integers with
            a scale for each 32 of them.

    Returns:
        `(path, lines)`: `pathlib.Path`, and a tuple of str.

    Raises:
        ExportError: if llama.cpp has no graph or no tokenizer for this model, or if
            what is read differs.
        ImportError: without the package `gguf`.
    """
    check_one_of("dtype", dtype, [*DTYPES])
    target = file_at(path, ".gguf")
    if not isinstance(model, CausalLM | SentenceEmbedder | FeatureExtractor):
        gguf_families.refuse(
            "it has those of a CausalLM, a SentenceEmbedder and a FeatureExtractor. "
            f"Received: a {type(model).__name__}"
        )
    if model.changes:
        gguf_families.refuse("adapters must be merged, and weights not be 8-bit ones")
    if model.tokenizer is None:
        raise ExportError("`model` must have a tokenizer for GGUF. Received: None")
    name, config, arrays = _described(model)
    gguf = need("gguf", "gguf")
    with replacing(target) as temporary:
        written, notes = _write(gguf, temporary, model, name, config, arrays, dtype)
        _check(gguf, temporary, written, dtype)
    size = target.stat().st_size
    lines = [f"{len(written)} tensors of {name}, {size:,} bytes", *notes]
    if isinstance(model, CausalLM):
        beside = target.with_suffix(".Modelfile")
        write_text(beside, modelfile(model, target.name))
        lines.append(f"ollama create {target.stem} -f {beside.name}")
    return target, tuple(lines)


def _described(model):
    try:
        _, config, tensors = described(model)
    except ValueError:
        network = model.network
        gguf_families.refuse(
            f"it knows {', '.join(gguf_families.ARCHITECTURES)}. Received: "
            f"{getattr(network, 'style', type(network).__name__)}"
        )
    name = gguf_families.ARCHITECTURES.get(config["model_type"])
    if name is None:
        gguf_families.refuse(
            f"none is written for {config['model_type']}, but for "
            f"{', '.join(gguf_families.ARCHITECTURES)}"
        )
    return name, config, {key: tensor.read() for key, tensor in tensors.items()}


def _write(gguf, path, model, name, config, arrays, dtype):
    """Writes the file; returns what stands in it, and lines."""
    writer = gguf.GGUFWriter(path, name)
    writer.add_name(model.name)
    writer.add_file_type(gguf.LlamaFileType[FILE_TYPES[dtype]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    gguf_families.settings(writer, gguf, name, config, model)
    notes = write_tokenizer(writer, model.tokenizer, config["vocab_size"])
    turns = getattr(model, "turns", None)
    if isinstance(turns, TemplateTurns):
        writer.add_chat_template(turns.template)
    written = dict(_renamed(gguf, model, name, config, arrays))
    for key, array in written.items():
        kind = _kind(gguf, key, array, dtype)
        writer.add_tensor(key, gguf.quants.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return written, notes


def _renamed(gguf, model, name, config, arrays):
    depth = config.get("n_layer", config.get("num_hidden_layers"))
    architecture = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}[name]
    names = gguf.get_tensor_name_map(architecture, depth)
    for key, array in gguf_families.tensors(name, config, arrays, model):
        found = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if found is None:
            gguf_families.refuse(f"{name} has no tensor {key}")
        yield found, array
    yield from gguf_families.further(name, config).items()


def _kind(gguf, key, array, dtype):
    """How a tensor is stored: vectors and a few tables whole."""
    kinds = gguf.GGMLQuantizationType
    if array.ndim < 2 or key in WHOLE:
        return kinds.F32
    kind = kinds[DTYPES[dtype]]
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return kind if array.shape[-1] % block == 0 else kinds.F16


def _check(gguf, path, written, dtype):
    """Raises unless the file has the tensors, but for rounding."""
    reader = gguf.GGUFReader(path)
    found = {tensor.name: tensor for tensor in reader.tensors}
    if found.keys() != written.keys():
        raise ExportError(f"{path} has other tensors: {found.keys() ^ written.keys()}")
    for key, array in written.items():
        tensor = found[key]
        read = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        gap = np.abs(read.reshape(array.shape) - array).max(initial=0)
        if not gap <= SHARE[dtype] * np.abs(array).max(initial=0):
            raise ExportError(f"{key} is another in the file, by up to {gap:.3g}")
