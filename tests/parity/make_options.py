"""Writes tests/parity/files/options.json: every option that a config of 5 states.

Needs transformers:

    python tests/parity/make_options.py
"""

import json
import pathlib

from transformers import CONFIG_MAPPING

from keras_genai.convert.families import FAMILIES

FILE = pathlib.Path(__file__).parent / "files/options.json"


def main():
    found = {name: CONFIG_MAPPING[name]().to_dict() for name in FAMILIES}
    FILE.write_text(json.dumps(found, indent=0, sort_keys=True), "utf-8")
    print({name: len(options) for name, options in found.items()})


if __name__ == "__main__":
    main()
