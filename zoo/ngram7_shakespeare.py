"""7-gram on Tiny Shakespeare, modified Kneser-Ney, one token a character.

Run: python train.py ngram7_shakespeare --data-dir FOLDER_WITH_input.txt
"""

from zoo import _ladder

entry = _ladder.ngram(order=7)
