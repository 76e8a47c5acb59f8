"""TVAE on breast cancer in Wisconsin: rows of a table from a code, in no time.

Run:       python train.py tvae_cancer
           python train.py tvae_cancer --data csv:my.csv --set target=COLUMN
"""

import keras

from keras_genai.data import tables
from keras_genai.networks.tabular import TabularAutoencoder
from keras_genai.tasks.table_vae import TableVAE
from keras_genai.tasks.variational import EvidenceBound
from zoo import _tables
from zoo.entry import Entry, Recipe

STEPS = 4_000

entry = Entry(
    task=TableVAE,
    networks=dict(network=TabularAutoencoder),
    config=dict(hidden=(128, 128), latent_size=32, objective=EvidenceBound(beta=0.5)),
    tiny=dict(hidden=(8,), latent_size=2),
    source=tables.breast_cancer,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(1e-3, steps), weight_decay=1e-5
            ),
            jit_compile=False,
        ),
        batch_size=256,
        steps=STEPS,
        steps_per_execution=50,
        log_every=200,
        validate_every=1_000,
    ),
    evaluate=_tables.score,
    sample=_tables.draw,
    family="tables",
    paper="Xu et al. 2019, Modeling Tabular Data using Conditional GAN, section 4.4",
    notes=_tables.NOTES,
    embedded=True,
)
