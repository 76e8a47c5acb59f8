"""LSTM on Tiny Shakespeare, two layers of 512: the recurrent rung above the 7-gram.

Run: python train.py lstm_shakespeare --data-dir FOLDER_WITH_input.txt
"""

from zoo import _ladder

entry = _ladder.recurrent("lstm", units=512, steps=4_500, peak=2.5e-3, dropout=0.3)
