"""Simple (Elman) RNN on Tiny Shakespeare, one token a character.

Run: python train.py rnn_shakespeare --data-dir FOLDER_WITH_input.txt
"""

from zoo import _ladder

entry = _ladder.recurrent("simple", units=256, steps=1_000)
