"""TabDDPM on breast cancer in Wisconsin: rows of a table, benign or malignant as asked.

Run:       python train.py tabddpm_cancer
           python train.py tabddpm_cancer --data csv:my.csv --set target=COLUMN
           python -m zoo sample tabddpm_cancer --where target=malignant --out rows.csv
"""

from keras_genai.data import tables
from keras_genai.networks.tabular import TabularDenoiser
from keras_genai.tasks.table_diffusion import TableDiffusion
from zoo import _diffusion, _tables
from zoo.entry import Entry, Recipe

STEPS = 6_000

entry = Entry(
    task=TableDiffusion,
    networks=dict(network=TabularDenoiser),
    config=dict(hidden=(256, 256), dropout=0.0),
    tiny=dict(hidden=(8,), waves=8),
    source=tables.breast_cancer,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
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
    paper="Kotelnikov et al. 2023, TabDDPM: Modelling Tabular Data",
    notes=_tables.NOTES,
    embedded=True,
)
