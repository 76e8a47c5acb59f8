"""GRU on Tiny Shakespeare, two layers of 256, one token a character.

Run: python train.py gru_shakespeare --data-dir FOLDER_WITH_input.txt
"""

from zoo import _ladder

entry = _ladder.recurrent("gru", units=256, steps=1_000)
