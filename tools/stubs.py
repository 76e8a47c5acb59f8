"""Writes the stubs that say what is public: `python tools/stubs.py`.

A package's stub, `__init__.pyi`, lists what a user finds in it, each name once. Classes
with a docstring are public by themselves, so that a new file needs no other edit than
to run this again; functions and constants are where they are chosen below, since most
of them serve their own package. `tests/test_api.py` fails while a stub is behind.
"""

import ast
import dataclasses
import functools
import pathlib

ROOT = pathlib.Path(__file__).parent.parent / "keras_genai"


@dataclasses.dataclass(frozen=True)
class Public:
    """What a package shows besides the classes of its modules.

    Args:
        modules: modules that are public as they are, such as `data.text`; what is in
            them is found there.
        names: functions and constants.
        machinery: modules that show nothing.
        hidden: classes that only their own package needs.
        only: bool. Classes, too, are public only if they are among `names`.
    """

    modules: frozenset = frozenset()
    names: frozenset = frozenset()
    machinery: frozenset = frozenset()
    hidden: frozenset = frozenset()
    only: bool = False


def words(text):
    """The names in a text."""
    return frozenset(text.split())


PACKAGES = {
    "convert": Public(modules=words("families huggingface"), only=True),
    "data": Public(
        modules=words(
            "answering augmentation captioned_pictures captions chorales "
            "conversations countdown damage dialogue emoji furniture images masking "
            "pairs preferences pronunciation recordings reviews sentiment sounds "
            "speech spoken_captions summarization tables text tokenizers transcripts "
            "translation video"
        ),
        machinery=words(
            "alphabet furniture_parts sentencepiece template_sandbox tokenizer"
        ),
        hidden=words("Leash Plan"),
    ),
    "evaluation": Public(
        names=words(
            "score_answers plot_attention Classifier Inception fit_classifier "
            "frechet_distance kernel_distance precision_recall label_accuracy "
            "class_entropy TextScore score_text score_windows Bound evidence_bound "
            "importance_bound code_cross_entropy restoration_scores psnr ssim "
            "score_summaries rouge translate bleu perplexity Judge WinRate win_rate "
            "compare TextJudge PairJudge ClassifierJudge distinct unique_share "
            "Divergence divergence best_of_divergence pass_at pronunciation_errors "
            "word_error_rate character_error_rate phone_error_rate error_rate "
            "edit_distance plot_alignment plot_picture_attention skin_tones Labelled "
            "Accuracy score_usefulness taught told_apart distance_to_closest permuted "
            "chamfer_distances shape_scores count_legs count_boards"
        ),
        only=True,
    ),
    "export": Public(
        names=words("Exported ExportError export"),
        only=True,
    ),
    "layers": Public(
        modules=words("adapters quantized"),
        names=words(
            "attend causal_mask position_mask segment_mask write_slots gelu_tanh "
            "skip_padding rotary_angles rotate relative_bucket recompute_blocks recur "
            "griffin_lim monotonic_alignment"
        ),
        machinery=words("adapter_files"),
    ),
    "modalities": Public(names=words("grid png pictures target_of")),
    "networks": Public(
        names=words(
            "GPT2 LLAMA MODERN TRANSFORMER BART BLENDERBOT BLENDERBOT_SMALL "
            "ROBERTA DISTILBERT MPNET ELECTRA ALBERT"
        ),
        machinery=words("ngram_lookup ngram_tables"),
        hidden=words("Weights"),
    ),
    "samplers": Public(
        names=words("generate log_probability roll"),
        machinery=words(
            "beam loop prefixes ring row_sampler session slot_programs slots text "
            "writing"
        ),
        hidden=words("Level Posterior Walk"),
    ),
    "serving": Public(
        machinery=words(
            "abilities app batch conversation drawing embedding errors figures guard "
            "limits line metrics openai_schema pages reading replies scoring served "
            "server sounds streaming token_names waiting writing"
        ),
    ),
    "tasks": Public(
        names=words(
            "add_format add_tokens best_of best_pictures freeze_all_but "
            "freeze_all_but_last sampled sampled_pictures step_log_probabilities "
            "token_log_probabilities train_all trained_parameters"
        ),
        machinery=words(
            "batches completion_buffer denoising editing exporting feeding "
            "picture_task picture_tuning policy_gradient rollout_buffer rollout_tuning "
            "sizes sources text_codes two_optimizers values"
        ),
        hidden=words(
            "Advantages Completions Config CriticError Estimator Format Names Ratings "
            "Surrogate"
        ),
    ),
    "training": Public(
        names=words(
            "EarlyStopping KLStop Outcome Rollouts RunFolder RunSettings "
            "RunStoppedError TrainingError count deterministic reopen "
            "require_tensorboard short_of_memory train"
        ),
        only=True,
    ),
}
UNLISTED = {"files", "integrations"}  # found by the paths of their modules
# Modules beside the packages that are public as they are.
MODULES = {"declared", "likelihoods", "losses", "optimizers", "preferences", "registry"}
MODULES |= {"ctc", "schedules"}


def packages():
    """Names of the packages that have a stub."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    return sorted(found - UNLISTED)


def stub(package):
    """The text of a package's stub."""
    public = PACKAGES.get(package, Public())
    lines = [_line(".", name) for name in sorted(public.modules)]
    for path in sorted((ROOT / package).glob("*.py")):
        if path.stem not in public.machinery | public.modules | {"__init__"}:
            lines += [_line(f".{path.stem}", name) for name in _shown(path, public)]
    return _text(lines)


def top():
    """The text of the stub of keras_genai itself."""
    lines = [_line(".", name) for name in sorted({*packages(), *MODULES})]
    lines.append(_line(".tasks.presets", "from_preset"))
    return _text(["__version__: str", *lines])


def _shown(path, public):
    """Names of a module that its package shows, sorted."""
    return sorted(
        name
        for name, is_class in described(path)
        if name in public.names
        or (is_class and not public.only and name not in public.hidden)
    )


def described(path):
    """`(name, whether it is a class)` of what a module may show."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            if not node.name.startswith("_") and ast.get_docstring(node):
                yield node.name, isinstance(node, ast.ClassDef)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, False


def _line(module, name):
    return f"from {module} import {name} as {name}"


def _text(lines):
    return "# Written by tools/stubs.py.\n" + "\n".join(lines) + "\n"


@functools.cache
def texts():
    """dict of path to text: all stubs as they should be."""
    found = {ROOT / name / "__init__.pyi": stub(name) for name in packages()}
    return {ROOT / "__init__.pyi": top(), **found}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, "utf-8")
