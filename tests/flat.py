"""Tasks made from flat arguments, each of which goes to whoever has it."""

import inspect


def flat(task, networks, *kinds, **settings):
    """A task and its networks.

    Args:
        task: class.
        networks: class of its network, or dict of classes by field.
        *kinds: modalities, in the order of the task's fields.
        **settings: fields of the networks and of the task.

    Raises:
        TypeError: if nobody has one of them.
    """
    if not isinstance(networks, dict):
        networks = {"network": networks}
    unknown = settings.keys() - set().union(
        *(inspect.signature(make).parameters for make in (task, *networks.values()))
    )
    if unknown:
        raise TypeError(f"{task.__name__} has no {unknown}")
    made = {field: make(**own(make, settings)) for field, make in networks.items()}
    names = [name for name in ("target", "given") if name not in settings]
    return task(**made, **dict(zip(names, kinds, strict=False)), **own(task, settings))


def own(make, settings):
    """Those settings that a class has."""
    known = inspect.signature(make).parameters
    return {key: value for key, value in settings.items() if key in known}
