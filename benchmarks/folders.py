"""A checkpoint folder with random weights that all sides of a benchmark open.

transformers writes it once, in a process of its own, to a temporary directory:

    def write(folder, options):
        transformers.T5ForConditionalGeneration(...).save_pretrained(folder)

    if __name__ == "__main__":
        with folders.written(write, parser):
            results = alternate.main(sides, parser)    # each reads options.folder
"""

import argparse
import contextlib
import multiprocessing
import pathlib
import sys
import tempfile


@contextlib.contextmanager
def written(write, parser):
    """Lets `write` fill the folder of `--folder`, an option that it adds.

    Args:
        write: function `write(folder, options)` of a module's top level. It is called
            unless `--folder` names a folder that is there.
        parser: `argparse.ArgumentParser` with the benchmark's own options.
    """
    parser.add_argument(
        "--folder", help="keep the checkpoint there, or take the one that is there"
    )
    options, _ = parser.parse_known_args()
    if options.folder and pathlib.Path(options.folder).is_dir():
        yield
        return
    with tempfile.TemporaryDirectory() as scratch:
        if not options.folder:
            options.folder = str(pathlib.Path(scratch) / "checkpoint")
            sys.argv += ["--folder", options.folder]
        # Apart, so that no side and no parent is larger for it.
        spawn = multiprocessing.get_context("spawn")
        process = spawn.Process(target=_write, args=(write, options))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError("The checkpoint was not written; its error is on stderr")
        yield


def _write(write, options: argparse.Namespace):
    import torch
    import transformers

    torch.manual_seed(0)
    transformers.logging.disable_progress_bar()
    write(options.folder, options)
