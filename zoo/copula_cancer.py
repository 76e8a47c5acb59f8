"""Gaussian copula of each class on breast cancer in Wisconsin: the floor of tables.

Run:       python train.py copula_cancer
           python train.py copula_cancer --data csv:my.csv --set target=COLUMN
"""

from keras_genai.data import tables
from keras_genai.networks.tabular_copula import Copula
from keras_genai.tasks.copula import GaussianCopula
from zoo import _tables
from zoo.entry import Entry, Recipe

entry = Entry(
    task=GaussianCopula,
    networks=dict(network=Copula),
    config=dict(conditional=True),
    tiny={},
    source=tables.breast_cancer,
    recipe=Recipe(compile=lambda steps=1: dict(optimizer=None), batch_size=256),
    evaluate=_tables.score,
    sample=_tables.draw,
    family="tables",
    paper="Patki et al. 2016, The Synthetic Data Vault",
    notes=_tables.NOTES,
    embedded=True,
)
