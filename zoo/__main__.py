"""The command line over the zoo: what there is, what it can do, what it reached."""

import argparse
import sys

from zoo._caption import caption
from zoo._chat import chat
from zoo._command import Once, Parser, integer, output_file, run
from zoo._edit import OUT as EDITED
from zoo._edit import edit
from zoo._export import DTYPES as GGUF
from zoo._export import FORMATS, export
from zoo._frontier import frontier
from zoo._judging import compare, score
from zoo._list import list
from zoo._playing import STEPS, continue_, harmonize
from zoo._rank import rank
from zoo._sample import MAX_LENGTH, TEMPERATURE, sample
from zoo._serve import serve
from zoo._ship import ship
from zoo._show import show
from zoo._speak import OUT, speak
from zoo._tasks import answer, classify, summarize, transcribe, translate
from zoo._train import SEEDS, add_options, train
from zoo._useful import FEW, useful
from zoo._useful import OUT as USEFUL
from zoo._useful import SEEDS as CLASSIFIERS
from zoo._verify import TOLERANCE, verify
from zoo._weights import DTYPES

LENGTHS = integer(1, 100_000)  # tokens; their memory is taken before they are written
ANY_SEED = integer(-(2**63), 2**63 - 1)
LANGUAGES = "from and to, if a model knows several: en-de"
WEIGHTS = {
    "int8": "8-bit weights: a quarter of the memory",
    "int4": "4-bit weights: an eighth of the memory, a little worse",
    "bfloat16": "16-bit weights: half of the memory",
}
NAME = "an entry (trained in runs/NAME, or published), a folder, or a hub name"


def main(arguments=None):
    """Runs a verb; returns its exit code, `None` if all went well."""

    def command():
        options = parse(arguments)
        return options.run(options)

    return run("zoo", command)


def parse(arguments=None):
    """The options; texts may follow an option, which argparse alone does not allow."""
    known = parser()
    options, rest = known.parse_known_args(arguments)
    if rest and (not hasattr(options, "text") or any(t.startswith("-") for t in rest)):
        known.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.text = [*options.text, *rest]
    return options


def parser():
    """The parser of all verbs."""
    parser = Parser(prog="python -m zoo", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(run, text):
        name = run.__name__.rstrip("_")
        sub = verbs.add_parser(name, help=text, description=run.__doc__)
        sub.set_defaults(run=run)
        return sub.add_argument

    add = verb(list, "name the entries")
    add("pattern", nargs="?", default="*", help="shell pattern, for instance 'gpt*'")
    add = verb(show, "print what an entry is and what it reached")
    add("name")
    add_options(verb(train, "train an entry, or go on with it"))
    add_sample(verb(sample, "let a trained model write or draw"))
    add = verb(chat, "talk with a trained language model")
    add_model(add)
    add("--temperature", type=float, help="0 is greedy (the model's own way)")
    add("--reply-length", type=LENGTHS, help="tokens of a reply at most")
    add("--seed", type=ANY_SEED, default=0)
    add_task_verbs(verb)
    add_rank(verb(rank, "say which text fits which picture"))
    add_speak(verb(speak, "say texts into a WAV file"))
    add_edit(verb(edit, "make of a picture what is asked for"))
    add_export(verb(export, "write a trained model for other programs"))
    add_playing(verb)
    add_judging(verb)
    add_serve(verb(serve, "serve models by OpenAI's protocol, and a page"))
    add_useful(verb(useful, "say what samples are worth to a classifier"))
    add_verify(verb(verify, "run a recipe and compare it with its record"))
    add_ship(verb(ship, "put the weights of a run into the zoo, in fewer bytes"))
    add = verb(results, "print the measured results as Markdown")
    add("pattern", nargs="?", default="*", help="shell pattern")
    add("--picture", help="also draw them into this PNG")
    add = verb(frontier, "draw reward and praise over divergence, for text policies")
    add("names", nargs="+", metavar="NAME", help="entries, trained in runs/NAME")
    add("--picture", required=True, help="the PNG; its points go to a JSON beside it")
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    return parser


def add_model(add):
    """Which model a verb opens, and how."""
    add("name", help=NAME)
    add("--preset", help="preset folder (runs/NAME/preset)")
    add_weights(add)


def add_weights(add):
    """In how many bits a model's matrices are kept: at most one of the kinds."""
    for kind, text in WEIGHTS.items():
        add(f"--{kind}", dest="weights", const=kind, nargs=0, action=Once, help=text)


def add_sample(add):
    """The options of `sample`; which ones a model takes, its modalities say."""
    add_model(add)
    add("--prompt", help="what to continue, or what to draw (the entry's own)")
    text = f"in tokens, prompt included (the model's own, or {MAX_LENGTH})"
    add("--max-length", type=LENGTHS, help=text)
    add("--temperature", type=float, help=f"0 is greedy ({TEMPERATURE})")
    add("--top-k", type=int, help="keep the k likeliest tokens")
    add("--top-p", type=float, help="keep the likeliest tokens that sum to p")
    add("--seed", type=ANY_SEED, default=0)
    add("--count", type=integer(1), help="how many (as the entry's own)")
    add("--label", type=int, help="the class of all (each in turn)")
    add("--negative", help="what pictures of a prompt shall not show")
    text = "what rows have in a column, a word or LOW:HIGH; again for another column"
    add("--where", action="append", metavar="COLUMN=VALUE", help=text)
    text = "of how many texts the best is shown, by the reward model of --judge"
    add("--best-of", type=integer(2, 10_000), metavar="N", help=text)
    add("--judge", help="the reward model, or a classifier with --judge-label")
    add("--judge-label", help="the class that is the better one")
    add("--out", help="the file that it goes to (sample.png, .wav, ...; text: none)")
    add("--data", help="what a model is to change that changes data (the entry's own)")
    add("--data-dir", help="where prepared or hand-placed data sets lie")


def add_serve(add):
    """The options of `serve`."""
    add("names", nargs="+", metavar="NAME", help=NAME)
    add("--host", default="127.0.0.1", help="what it listens to (only this machine)")
    add("--port", type=integer(0, 65_535), default=8000, help="0 is any (8000)")
    text = "who asks must have it; again for another (KERAS_GENAI_API_KEY)"
    add("--api-key", action="append", default=[], metavar="KEY", help=text)
    text = "let other machines ask without a key"
    add("--insecure", action="store_true", help=text)
    text = "another site whose pages may ask; again for another (none)"
    add("--allow-origin", action="append", default=[], metavar="ORIGIN", help=text)
    add_weights(add)
    add("--rows", type=integer(1, 1024), default=8, help="texts at once (8)")
    text = "tokens of a text, prompt included (as many as a model can)"
    add("--context", type=integer(2, 10_000_000), help=text)
    add("--queue", type=integer(0, 100_000), help="requests that may wait (4 x rows)")
    text = "most bytes of keys and values; more are refused at the start"
    add("--kv-bytes", type=integer(1, 2**50), help=text)
    text = "bytes of keys and values that are kept for prompts that begin alike (0)"
    add("--prefix-bytes", type=integer(0, 2**50), default=0, help=text)
    text = "one shape for all, so that company changes not the last bit"
    add("--deterministic", action="store_true", help=text)
    add("--max-tokens", type=integer(1), help="of an answer (8192)")
    add("--max-n", type=integer(1, 1_000), help="choices or pictures at once (16)")
    add("--max-body", type=integer(1_000), help="bytes of a request (33554432)")
    text = "from a request to its end (600)"
    add("--request-seconds", type=seconds, metavar="SECONDS", help=text)


def add_useful(add):
    """The options of `useful`."""
    add_model(add)
    text = "how many it draws (as many as there are real ones, at most 10,000)"
    add("--count", type=integer(1), help=text)
    text = f"how many real ones it is to be of use beside ({FEW})"
    add("--real", type=integer(1), default=FEW, metavar="N", help=text)
    text = f"classifiers for each line of the table ({CLASSIFIERS})"
    add("--seeds", type=integer(1, 1_000), default=CLASSIFIERS, help=text)
    add("--steps", type=integer(1, 10_000), help="of denoising, where it has such (20)")
    add("--guidance", type=float, help="1 is the model as it is (1)")
    add("--seed", type=ANY_SEED, default=0, help="of the draws (0)")
    add("--data", help="the real ones, as `train` takes it (the entry's own)")
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    add("--out", help=f"folder of record, picture and draws ({USEFUL.format('NAME')})")


def add_verify(add):
    """The options of `verify`."""
    add("name")
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    add("--out", help="run folder (runs/verify/NAME)")
    add("--fresh", action="store_true", help="start over in the run folder")
    add("--seed", type=SEEDS, help="(the recorded one, else 0)")
    setting = {"metavar": "KEY=VALUE", "help": "preset folder of an earlier stage"}
    add("--set", action="append", default=[], **setting)
    share = "how much worse the figure may be, as a share of the recorded one"
    add("--tolerance", type=share_of, default=TOLERANCE, help=f"{share} ({TOLERANCE})")
    text = "write the result to FOLDER (zoo/results of this checkout)"
    add("--record", nargs="?", const="", metavar="FOLDER", help=text)


def add_ship(add):
    """The options of `ship`."""
    add("name")
    add("--run", dest="run_folder", metavar="FOLDER", help="finished run (runs/NAME)")
    again = "round the weights that ship already, instead of those of a run"
    add("--again", action="store_true", help=again)
    stored = "how the file holds weights; models compute as before (bfloat16)"
    add("--dtype", choices=DTYPES, default="bfloat16", help=stored)
    add("--data-dir", help="where prepared or hand-placed data sets lie")
    setting = {"metavar": "KEY=VALUE", "help": "preset folder of an earlier stage"}
    add("--set", action="append", default=[], **setting)
    share = "how much worse the figure may be, as a share of the trained one"
    add("--tolerance", type=share_of, default=TOLERANCE, help=f"{share} ({TOLERANCE})")


def share_of(text):
    """A `type` of argparse: a float that is not negative."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a float >= 0. Received: {text}")
    return value


def seconds(text):
    """A `type` of argparse: a float above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a float > 0. Received: {text}")
    return value


def add_task_verbs(verb):
    """The verbs of `zoo._tasks`; they have texts, or lines of standard input, to do."""
    texts = {
        translate: ("translate texts", "TEXT"),
        summarize: ("summarise texts", "TEXT"),
        classify: ("sort texts into a model's classes", "TEXT"),
        answer: ("answer questions from a text", "QUESTION"),
    }
    for work, (line, what) in texts.items():
        add = verb(work, line)
        add_model(add)
        one = f"each argument is one (else each line of standard input is a {what})"
        add("text", nargs="*", default=[], metavar=what, help=one)
        if work in (translate, summarize):
            add("--prefix", help="text before each text (what the model's files say)")
            add("--max-length", type=LENGTHS, help="tokens at most (the model's own)")
        if work is translate:
            add("--languages", help=LANGUAGES)
        if work is answer:
            add(
                "--context", required=True, metavar="FILE_OR_TEXT", help="where to look"
            )
            add("--stride", type=integer(0), help="tokens by which windows overlap")
            add("--allow-none", action="store_true", help="let it find no answer")

    add = verb(transcribe, "write down what is said in sound files")
    add_model(add)
    add("text", nargs="+", metavar="FILE", help="sound files, or folders of some")
    add("--beams", type=integer(1, 1_000), help="search with so many (the model's own)")
    add("--language", help="a code such as de, where a model is told (it is detected)")
    add("--translate", action="store_true", help="into English, where a model can")
    text = "the model that translates what was understood, an entry or a folder"
    add("--translate-by", metavar="NAME", help=text)
    add("--languages", help=f"of that model: {LANGUAGES}")

    add = verb(caption, "say what pictures show")
    add_model(add)
    add("text", nargs="+", metavar="FILE", help="pictures, or folders of some")
    add("--beams", type=integer(1, 1_000), help="search with so many (the model's own)")
    add("--picture", help="also draw into this PNG where it looked at which word")


def add_rank(add):
    """The options of `rank`."""
    add_model(add)
    add("text", nargs="+", metavar="FILE", help="pictures, or folders of some")
    text = "what a picture may show, once for each text; one alone sorts the pictures"
    add(
        "--text",
        dest="texts",
        metavar="TEXT",
        action="append",
        required=True,
        help=text,
    )


def add_speak(add):
    """The options of `speak`."""
    add_model(add)
    one = "each argument is one (else each line of standard input is a TEXT)"
    add("text", nargs="*", default=[], metavar="TEXT", help=one)
    add("--speaker", help="who speaks, of a model of several (the first one)")
    add("--speed", type=float, default=1.0, help="2 is twice as fast (1.0)")
    add("--seed", type=ANY_SEED, default=0)
    add("--out", help=f"the file that it goes to ({OUT})")
    add("--picture", help="also draw into this PNG which letter is heard when")


def add_edit(add):
    """The options of `edit`."""
    add("name", help=NAME)
    add("files", nargs="+", metavar="FILE", help="pictures")
    add("--preset", help="preset folder (runs/NAME/preset)")
    add("--to", help="what is asked for: a name, a class, or a text")
    text = "draw their outlines first, for a model of sketches"
    add("--outlines", action="store_true", help=text)
    text = "from above 0 to 1, how much is made anew by a model given no pictures (0.6)"
    add("--strength", type=float, help=text)
    add("--seed", type=ANY_SEED, default=0)
    add("--out", help=f"the file that it goes to ({EDITED})")


def add_export(add):
    """The options of `export`."""
    add("name", help=NAME)
    add("--preset", help="preset folder (runs/NAME/preset)")
    text = "what reads it (savedmodel)"
    add("--format", choices=FORMATS, default="savedmodel", help=text)
    add("--out", required=True, help="the folder of a savedmodel, else the file")
    text = "of denoising in `generate`, where a model has such (30)"
    add("--steps", type=integer(1, 10_000), help=text)
    add("--endpoint", help="which function goes into ONNX (serving_default)")
    add("--dtype", choices=GGUF, help="of the matrices in GGUF (f32)")


def add_playing(verb):
    """The verbs of `zoo._playing`."""
    works = {
        continue_: ("let a model of music go on with a beginning", "how it begins"),
        harmonize: ("let a model of music set voices below a melody", "the melody"),
    }
    for work, (line, what) in works.items():
        add = verb(work, line)
        add_model(add)
        add("file", metavar="FILE.mid", help=what)
        if work is continue_:
            add("--steps", type=LENGTHS, help=f"how many it adds ({STEPS})")
        add("--count", type=integer(1), default=1, help="how many pieces (1)")
        add("--temperature", type=float, default=1.0, help="of the draws (1.0)")
        add("--seed", type=ANY_SEED, default=0)
        add("--out", help="the file that it goes to, .mid; .wav and .png lie beside it")


def add_judging(verb):
    """The verbs of `zoo._judging`."""
    add = verb(compare, "let a judge compare what two models write")
    add("first", metavar="A", help=NAME)
    add("second", metavar="B", help="what it is compared with")
    add("--judge", required=True, help="a reward model, or a classifier with --label")
    add("--label", help="the class that is the better one")
    add("--prompts", help="a file with a prompt a line (standard input)")
    add("--max-length", type=LENGTHS, help="tokens of a completion, at most (48)")
    add("--temperature", type=float, default=1.0, help="of the draws (1.0)")
    add("--seed", type=ANY_SEED, default=0)
    add = verb(score, "say how good texts are, by a reward model")
    add_model(add)
    one = "each argument is one (else each line of standard input is a TEXT)"
    add("text", nargs="*", default=[], metavar="TEXT", help=one)
    add("--prompt", help="what the texts go on from")


def results(options):
    """Prints the measured results by metric, the best first, with what each made."""
    from zoo import _results

    if options.picture is not None:
        from keras_genai.files.writing import write_bytes

        path = output_file(options.picture, "--picture")
        write_bytes(path, _results.picture(options.pattern))
    print("\n".join(_results.table(options.pattern)))


if __name__ == "__main__":
    sys.exit(main())
