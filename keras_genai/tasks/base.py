"""Task: a keras.Model that knows its random state, its tokenizer and its files."""

import functools
import typing
import warnings
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from keras_genai import compat, replicas
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.declared import Declared, fields
from keras_genai.files.paths import AnyPath, as_path
from keras_genai.files.shards import LARGEST_SHARD
from keras_genai.layers import quantized
from keras_genai.modalities.base import Modality
from keras_genai.networks.base import Network
from keras_genai.summed import sum_first
from keras_genai.tasks import exporting, presets, values
from keras_genai.tasks.calls import arguments


@typing.dataclass_transform()
class Task(Declared):
    """Base class of everything that is trained here.

    It is made of fields, as `Declared` says: networks, a `target`, what is `given`,
    and how it learns. Networks that are not built yet are completed by what the
    modalities say of the samples. Its files are complete: weights under stable names,
    the state of every random generator, and the tokenizer.

    Attributes:
        target: `keras_genai.modalities.base.Modality`: what it makes.
        given: tuple of `Modality`: what samples are made from.
        transient: tuple of str. Weights whose path ends with one of these belong
            to a run, not to the model: checkpoints hold them, presets do not.
        options: tuple of str. What may be asked of its samples beside what its
            modalities know, as the command line spells it.
        verbs: tuple of str. What a person asks of it besides a sample, as the command
            line calls it.
        decoding: str. How it decodes or draws when nobody says otherwise, for its card.
        counts_tokens: bool. Whether it learns by counting a text, by `fit_tokens`, and
            not by steps of an optimizer.
    """

    in_order = True
    target = Modality()
    given = ()
    transient: ClassVar = ()
    verbs: ClassVar = ()
    options: ClassVar = ()
    decoding: ClassVar = ""
    counts_tokens: ClassVar = False
    _reads_targets: ClassVar = True

    def _policy(self, values, dtype):
        networks = [value for value in values if isinstance(value, Network)]
        return _shared_policy(networks, dtype)

    @property
    def tokenizer(self):
        """`keras_genai.data.tokenizers.Tokenizer` of its texts, or `None`."""
        for kind in (self.target, *self.given):
            if getattr(kind, "tokenizer", None) is not None:
                return kind.tokenizer
        return None

    @tokenizer.setter
    def tokenizer(self, tokenizer):
        self.target = self.target.speaking(tokenizer)
        self.given = tuple(kind.speaking(tokenizer) for kind in self.given)

    @property
    def makes(self):
        """`Modality` of what a person gets from what is `given`: the `target`.

        Tasks say something else that learn from more than they are asked with, or
        `None` if what is given is not enough.
        """
        return self.target

    @property
    def networks(self):
        """dict of `Network` by the field that holds it."""
        values = {key: getattr(self, key) for key in fields(type(self))}
        return {key: each for key, each in values.items() if isinstance(each, Network)}

    @property
    def sizes(self):
        """dict of sizes that its samples say: of classes, tokens, pictures."""
        kinds = [kind for kind in (*self.given, self.target) if kind is not None]
        sizes = {key: size for kind in kinds for key, size in kind.sizes.items()}
        return {key: size for key, size in sizes.items() if size is not None}

    @property
    def network_sizes(self):
        """dict of what fields of its networks must be, by their names."""
        return self.sizes

    def sizes_of(self, field):
        """dict of what fields must be of the network in a field of the task."""
        return self.network_sizes

    def _take(self, key, value):
        if key == "given" and isinstance(value, Modality):
            value = (value,)
        super()._take(key, value)

    def _make_if_complete(self):
        self._name_apart()
        for field, network in self.networks.items():
            network.complete(**self.sizes_of(field))
        super()._make_if_complete()

    def _name_apart(self):
        """Calls networks of one name after their fields: weights are found by names."""
        names = [network.name for network in self.networks.values()]
        for field, network in self.networks.items():
            if names.count(network.name) > 1 and not network.built:
                network.name = field
        names = [network.name for network in self.networks.values()]
        if len({*names}) < len(names):
            raise ValueError(
                f"`name` of each network must be its own. Received: {', '.join(names)}"
            )

    def get_config(self):
        config = super().get_config()
        if self.tokenizer is not None:
            config["tokenizer"] = self.tokenizer.to_json()
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        tokenizer = config.pop("tokenizer", None)
        model = super().from_config(config)
        if tokenizer is not None:
            model.tokenizer = Tokenizer.from_json(tokenizer)
        return model

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        given = arguments(keras.Model.fit, self, args, kwargs)
        if isinstance(given.get("x"), tf.data.Dataset):
            # Keras would warn that data sets are in an order of their own.
            given.setdefault("shuffle", False)
        return super().fit(**given)

    def compile_from_config(self, config):
        # That of Keras gives up where `compile` is a model's own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def make_train_function(self, force=False):
        # An optimizer whose variables are made in the first step has it traced twice.
        if self.built and self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        if self.distribute_strategy.num_replicas_in_sync > 1:
            self._learn_together()
        return super().make_train_function(force)

    def _learn_together(self):
        """Replaces what Keras does on each replica by itself, or on all alike."""
        for optimizer in getattr(self.optimizer, "optimizers", [self.optimizer]):
            sum_first(optimizer)
        for layer in compat.layers_inside(self):
            if isinstance(layer, keras.layers.Dropout) and layer.rate:
                replicas.draw_apart(layer.seed_generator)

    def make_predict_function(self, force=False):
        if self.predict_function is not None and not force:
            return
        self._reads_targets = False
        super().make_predict_function(force)
        self._reads_targets = True
        self.predict_function = values.told(self.predict_function)

    def _make_function(self, step_function):
        strategy = self.distribute_strategy
        if replicas.on_several_workers(strategy):
            step_function = replicas.as_rows(step_function)
        function = super()._make_function(step_function)
        if strategy.num_replicas_in_sync > 1 and self.steps_per_execution > 1:
            function = replicas.one_by_one(function)
        return values.told(function)

    def _autoconvert_optionals(self, step_func):
        """The step of a batch whose integers were looked at, where XLA is not yet."""
        reads_targets = self._reads_targets

        def check(data):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            return values.checked(self.looked_up(x, y if reads_targets else None), data)

        def step(data):
            strategy = self.distribute_strategy
            context = tf.distribute.get_replica_context()
            if context is None or context.strategy is not strategy:
                return step_func(strategy.run(check, args=(data,)))
            return step_func(check(data))

        return super()._autoconvert_optionals(step)

    def looked_up(self, x, y=None):
        """The integers of a batch that choose rows of tables.

        They are looked at in `fit`, `evaluate` and `predict`, and when the model is
        called by itself.

        Args:
            x: what the model is called with: arrays or tensors.
            y: targets, or `None`.

        Returns:
            List of `keras_genai.tasks.values.Span`.

        Raises:
            ValueError: if something is missing, or of another rank or dtype.
        """
        return []

    def __call__(self, *args, **kwargs):
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        spans = self.looked_up(inputs)
        if tf.executing_eagerly() and not any(
            isinstance(span.values, keras.KerasTensor) for span in spans
        ):
            values.check_arrays(spans)
        return super().__call__(*args, **kwargs)

    @keras.Model.jit_compile.setter
    def jit_compile(self, value):
        count = self.distribute_strategy.num_replicas_in_sync
        if value and count > 1:
            warnings.warn(
                f"`jit_compile` of {self.name} is off: XLA cannot compile steps of "
                f"{count} replicas",
                stacklevel=3,
            )
            value = False
        keras.Model.jit_compile.fset(self, value)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Makes metrics and optimizer from the shapes of one replica's first batch.

        Keras takes the mean of the replicas' batches, which masks and texts have not.
        """
        arrays = compat.arrays_of(iterator)
        if arrays is not None:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(arrays)
            values.check_arrays(self.looked_up(x, y))
        if self._distribute_strategy is None:
            return
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = keras.tree.map_structure(
                lambda value: self._distribute_strategy.experimental_local_results(
                    value
                )[0],
                next(batches),
            )
        with self._distribute_strategy.scope():
            self._symbolic_build(data_batch=data_batch)

    def reset_states(self):
        """Forgets what is carried from batch to batch; nothing is, in most tasks."""

    def preset_weights(self):
        """The weights a preset holds, by their path below the model's own name.

        Returns:
            dict of str to `keras.Variable`, in creation order.

        Raises:
            ValueError: if two weights share a path.
        """
        weights = {}
        for variable in self.weights:
            path = variable.path.removeprefix(f"{self.name}/")
            if path.endswith(self.transient):
                continue
            if path in weights:
                raise ValueError(f"Two weights of {self.name} are called `{path}`")
            weights[path] = variable
        return weights

    def get_tables(self):
        """Arrays of its networks whose sizes depend on the data: dict by path."""
        return {
            f"{network.name}/{key}": table
            for network in self.networks.values()
            for key, table in network.get_tables().items()
        }

    def set_tables(self, tables):
        """Puts back what `get_tables` returned.

        Raises:
            ValueError: if one belongs to none of its networks, or if they are not
                those of a network.
        """
        tables = dict(tables)
        for network in self.networks.values():
            prefix = f"{network.name}/"
            own = [path for path in tables if path.startswith(prefix)]
            network.set_tables(
                {path.removeprefix(prefix): tables.pop(path) for path in own}
            )
        if tables:
            raise ValueError(
                f"{self.name} has no such tables. Received: {sorted(tables)}"
            )

    @classmethod
    def from_preset(cls, folder: AnyPath, **overrides: Any) -> Self:
        """Opens a preset of this class, or of a subclass.

        Args:
            folder, **overrides: see `keras_genai.from_preset`.

        Returns:
            The model, weights and tokenizer in place.

        Raises:
            PresetError: if it cannot be opened, or holds a model of another class.
        """
        model = presets.from_preset(folder, **overrides)
        if not isinstance(model, cls):
            raise presets.PresetError(
                f"`folder` must be the preset of a {cls.__name__}. "
                f"Received: {folder}, that of a {type(model).__name__}"
            )
        return model

    def save_to_preset(
        self, folder, card=None, format="keras_genai", max_shard_size=LARGEST_SHARD
    ):
        """Writes config.json, model.safetensors, tokenizer.json and README.md.

        Args:
            folder: path. Created if needed; an existing preset is replaced, through a
                link the one that it leads to.
            card: str or `None` (that of `keras_genai.tasks.cards`). Text of README.md;
                one that a person has changed stays.
            format: str. `"huggingface"` writes a folder that transformers reads.
            max_shard_size: int, bytes, or str such as `"5GB"`. Larger weights are
                shared out: model-00001-of-00002.safetensors and so on, and an index.

        Raises:
            ValueError: if there is no such format or size, if it cannot hold this
                model, if a weight is not finite, or if anything is in the folder that
                is not of a preset; `keras_genai.tasks.presets.check_target` tells that
                before training.
        """
        presets.save(self, folder, card, format, max_shard_size)

    def quantize(self, mode="int8", config=None, filters=None, **kwargs):
        """Weights of few bits, as `keras_genai.layers.quantized.quantize` makes them.

        Args:
            mode: `"int8"` or `"int4"`.

        Raises:
            ValueError: for what only Keras' own layers can: another `mode`, a `config`
                of one's own or `filters`.
        """
        # Keras makes the usual config where there is none.
        usual = {
            "int8": keras.quantizers.Int8QuantizationConfig,
            "int4": keras.quantizers.Int4QuantizationConfig,
        }.get(mode)
        own = config is not None and (
            usual is None or config.get_config() != usual().get_config()
        )
        if usual is None or own or filters is not None or kwargs:
            raise ValueError(
                "`mode` must be 'int8' or 'int4', without other arguments, which is "
                "what `keras_genai.layers.quantized.quantize` does. Received: "
                f"{mode=}, {config=}, {filters=}, {kwargs}"
            )
        quantized.quantize(self, mode)

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        """Writes what runs without this library: `exportable`, not in training.

        Args:
            filepath, format, verbose, **kwargs: see `keras.Model.export`.
            input_signature: as there, or `None`: batches of any number, and texts of
                any length that the model takes, as `input_specs` says.
        """
        model = self.exportable()
        if input_signature is None:
            input_signature = [model.input_specs()]
        path = str(as_path(filepath, "filepath"))
        keras.Model.export(model, path, format, verbose, input_signature, **kwargs)

    def export_to(self, path, format="savedmodel", **options):
        """Writes a file or folder of all that it does, for programs without Keras.

        Args:
            path, format, **options: see `keras_genai.export.formats.export`.

        Returns:
            `Exported`: the path, and lines that say what can be called.

        Raises:
            ExportError, ValueError, ImportError: as there.
        """
        return exporting.export_to(self, path, format, **options)

    def exportable(self):
        """The `keras.Model` with `input_specs` that `export` writes: this one."""
        return self

    def input_specs(self):
        """What `call` takes: a nest of `keras.InputSpec`, `None` for any size."""
        return keras.InputSpec("int32", shape=(None, None))

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for index, state in enumerate(self._seed_states()):
            store[f"seed_{index}"] = state

    def load_own_variables(self, store):
        # Keras' file entries have keys() but cannot be iterated.
        keys = [key for key in store.keys() if not key.startswith("seed_")]  # noqa: SIM118
        own = {key: store[key] for key in keys}
        super().load_own_variables(own)
        for index, state in enumerate(self._seed_states()):
            state.assign(store[f"seed_{index}"])

    def _seed_states(self):
        return [
            variable
            for variable in self.non_trainable_variables
            if variable.path.endswith("seed_generator_state")
        ]


def _shared_policy(networks, dtype):
    """The dtype policy of a task: that of its networks, which share one.

    Raises:
        ValueError: if another was asked for than a network was built in.
    """
    if dtype is None:
        return networks[0].dtype_policy if networks else None
    policy = keras.dtype_policies.get(dtype)
    for network in networks:
        if not network.built:
            network.dtype_policy = policy
        elif network.dtype_policy != policy:
            raise ValueError(
                f"`dtype` must be that of {network.name}, "
                f"{network.dtype_policy.name!r}. Received: dtype={policy.name!r}"
            )
    return policy
