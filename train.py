"""Trains an entry of the zoo; the same command goes on where it was stopped.

Examples:
    python train.py                                  the default, in minutes
    python train.py gpt_shakespeare --data-dir DIR   another entry
    python train.py gpt_python_docs --data texts/    your own text files
"""

import sys

from zoo import _train


def main(arguments=None):
    """Runs the command; returns its exit code."""
    return _train.main(arguments, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
