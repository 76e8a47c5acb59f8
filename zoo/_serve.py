"""Models for other programs, and for people with a browser: the verb `serve`."""

import pathlib

from zoo._command import say
from zoo._opening import locate, open_model
from zoo._quiet import start_tensorflow


def serve(options):
    """Serves models by OpenAI's protocol, and a page, until Ctrl-C.

    Which endpoints a model has follows from what it makes of what: texts, pictures,
    speech, transcripts, vectors of texts. Without a key only this machine can ask.
    """
    places = {}
    for name in options.names:
        known = pathlib.PurePath(name.rstrip("/")).name if "/" in name else name
        if known in places:
            raise ValueError(f"`NAME` must be different ones. Received: {known} twice")
        places[known] = locate(name), name
    from keras_genai.serving import limits

    keys = limits.keys_of(options.api_key)
    limits.check_host(options.host, limits.Keys(keys), options.insecure)
    start_tensorflow()
    from keras_genai.serving import server

    server.check_installed()
    server.listener(options.host, options.port).close()  # or all is opened in vain
    models = [_served(known, *place, options) for known, place in places.items()]
    from keras_genai.serving.served import Models

    for each in models:
        say("zoo", f"{each.name}: {_described(each)}")
    server.serve(
        Models(models, ready=False),
        options.host,
        options.port,
        keys,
        _limits(options),
        options.allow_origin,
        options.insecure,
        say=lambda line: print(line, flush=True),
    )


def _served(known, place, name, options):
    """A `Served` of a model, with an engine if it writes texts."""
    model = open_model(place, name, "sample", options.weights)
    from keras_genai.serving.engine import Engine
    from keras_genai.serving.served import Served

    found = Served(known, model, queue=options.queue)
    if found.writes:
        found.engine = Engine(
            model,
            rows=options.rows,
            length=_length(model, options.context),
            queue=options.queue,
            kv_bytes=options.kv_bytes,
            deterministic=options.deterministic,
            prefix_bytes=options.prefix_bytes,
        )
    return found


def _length(model, asked):
    """int or `None`: tokens of a text, of several models each as many as it can."""
    if asked is None or model.context is None:
        return asked
    return min(asked, model.context)


def _limits(options):
    from keras_genai.serving.limits import Limits

    asked = {
        "body": options.max_body,
        "max_tokens": options.max_tokens,
        "n": options.max_n,
        "seconds": options.request_seconds,
    }
    return Limits(**{name: value for name, value in asked.items() if value is not None})


def _described(served):
    """What a line at the start says of a model."""
    from keras_genai.serving.abilities import PATHS

    text = " ".join(PATHS[each] for each in served.abilities)
    if served.engine is None:
        return text
    return (
        f"{text}; {served.engine.rows} texts at once of at most "
        f"{served.engine.length:,} tokens, {served.engine.memory() / 1e6:,.0f} MB"
    )
