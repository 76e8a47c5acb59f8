"""Layers that draw: their generator's state is saved with them."""

SEED = "seed"


class Seeded:
    """Mix in before `keras.layers.Layer`: saves the state of `seed_generator`.

    Keras saves it in no file, so that a loaded model would draw its first numbers
    again.
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store[SEED] = self.seed_generator.state

    def load_own_variables(self, store):
        # Keras' file entries have keys() but cannot be iterated.
        keys = list(store.keys())
        super().load_own_variables({key: store[key] for key in keys if key != SEED})
        if SEED in keys:  # files of before have none
            self.seed_generator.state.assign(store[SEED])
