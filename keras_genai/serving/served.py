"""Models that are served, by their names."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_genai.serving import abilities, conversation
from keras_genai.serving.errors import (
    Refusal,
    busy,
    invalid,
    not_found,
    of_library,
    unavailable,
)
from keras_genai.serving.line import Line
from keras_genai.serving.requests import BusyError, EngineError

LINE = 16  # calls that may wait, of models without an engine


class Served:
    """A model, and how it is asked.

    Args:
        name: str. What clients call it.
        model: `Task`.
        engine: `Engine` of it, if it writes texts.
        queue: int or `None`. Calls that may wait.
        patience: float, seconds after which a call that has not ended is a failure.

    Raises:
        ValueError: if there is nothing that the model could be asked for.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        engine: Any = None,
        queue: int | None = None,
        patience: float = 600.0,
    ):
        self.name = name
        self.model = model
        found = abilities.abilities(model)
        if abilities.CHAT in found and not conversation.can_chat(model):
            found = tuple(each for each in found if each != abilities.CHAT)
        self.abilities = found
        if not self.abilities:
            kinds = ", ".join(kind.key for kind in model.given) or "nothing"
            raise ValueError(
                f"`name` must be a model that makes texts, pictures, sounds or vectors "
                f"of texts or classes. Received: {name}, a {type(model).__name__} of "
                f"{model.target.noun} that is given {kinds}"
            )
        self.created = int(time.time())
        self.line = Line(LINE if queue is None else queue, patience)
        self.engine = engine

    @property
    def writes(self) -> bool:
        """bool: whether it writes texts, and so needs an engine."""
        return abilities.COMPLETIONS in self.abilities

    def need(self, ability: str) -> None:
        """Raises a `Refusal` if the model cannot do something."""
        if ability not in self.abilities:
            fitting = ", ".join(abilities.PATHS[each] for each in self.abilities)
            raise invalid(
                f"The model {self.name!r} does not do this. Ask it at {fitting}",
                "model",
                "model_not_supported",
            )

    async def call(
        self, function: Callable[[], Any], seconds: float, said: str = "prompt"
    ) -> Any:
        """What a function of the model returns, when it was its turn.

        Args:
            function: without arguments.
            seconds: float. Most that may pass until then.
            said: str. What the request calls what a person said.

        Raises:
            Refusal: if it takes too long, too many wait, or the library refuses it.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self.line.call(function)
        except TimeoutError:
            raise Refusal(
                408, f"It was not done within {seconds:g} s.", code="request_timeout"
            ) from None
        except (BusyError, EngineError) as error:
            raise refusal_of(error) from error
        except (ValueError, TypeError) as error:
            if not str(error).startswith("`"):  # of no argument: a fault of ours
                raise
            raise of_library(error, said) from error

    def alive(self) -> bool:
        """bool: whether it answers, or would."""
        engine = self.engine is None or self.engine.alive()
        return engine and self.line.alive()

    def figures(self) -> dict[str, Any]:
        """dict of what it does and did, see `Engine.figures` and `Line.figures`."""
        found = dict(self.engine.figures()) if self.engine is not None else {}
        for key, value in self.line.figures().items():
            found[key] = found.get(key, 0) + value
        return {**found, "alive": float(self.alive())}

    def card(self) -> dict[str, Any]:
        """dict: what a list of models says of it, also what OpenAI's does not."""
        found = {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "keras_genai",
            "task": type(self.model).__name__,
            "endpoints": [abilities.PATHS[each] for each in self.abilities],
        }
        if self.engine is not None:
            found["context_length"] = self.engine.length
        if abilities.PICTURES in self.abilities:
            found |= self._picture_card()
        if abilities.SPEECH in self.abilities:
            found["voices"] = self.voices
        return found

    def _picture_card(self):
        kinds = {kind.key: kind for kind in self.model.given}
        height, width = self.model.makes.shape[-3:-1]
        found = {"size": f"{width}x{height}", "prompt": "none"}
        if "labels" in kinds:
            found |= {"prompt": "class", "classes": self.classes(kinds["labels"])}
        if "tokens" in kinds:
            found["prompt"] = "text"
        return found

    @staticmethod
    def classes(kind: Any) -> list[str]:
        """list of str: what classes are called, by their numbers if by nothing else."""
        return list(kind.names or map(str, range(kind.num_classes)))

    @property
    def voices(self) -> list[str]:
        """list of str: who speaks, of models of several."""
        kinds = [kind for kind in self.model.given if kind.key == "speakers"]
        return self.classes(kinds[0]) if kinds else []

    def close(self) -> None:
        """Refuses everything from now on."""
        self.line.close()
        if self.engine is not None:
            self.engine.close()


class Models:
    """All models of a server.

    Args:
        served: several `Served`.
        ready: bool. Whether requests are taken at once, before `warm_up`.

    Attributes:
        ready: bool. Whether requests are taken; see `warm_up`.

    Raises:
        ValueError: if there are none, or two of one name.
    """

    def __init__(self, served: Sequence[Served], ready: bool = True):
        self.ready = ready
        self._served: Mapping[str, Served] = {each.name: each for each in served}
        if not self._served or len(self._served) < len(served):
            raise ValueError(
                "`served` must be models of different names, at least one. "
                f"Received: {[each.name for each in served]}"
            )

    def __iter__(self):
        return iter(self._served.values())

    def known(self, name: str) -> Served:
        """The model of a name.

        Raises:
            Refusal: 404.
        """
        if name not in self._served:
            raise not_found(name, self._served)
        return self._served[name]

    def get(self, name: str) -> Served:
        """The model of a name, which is asked for something.

        Raises:
            Refusal: 404, or 503 while models are being made ready.
        """
        found = self.known(name)
        if not self.ready:
            raise unavailable("The models are being made ready; see /health.")
        return found

    def warm_up(self) -> None:
        """Compiles what will be needed; until then requests are refused."""
        for each in self:
            if each.engine is not None:
                each.engine.warm_up()
        self.ready = True

    def close(self) -> None:
        """Refuses everything from now on, and ends what is being done."""
        for each in self:
            each.close()

    def figures(self) -> dict[str, dict[str, Any]]:
        """dict by name of what `Served.figures` says."""
        return {each.name: each.figures() for each in self}


def refusal_of(error: Exception) -> Refusal:
    """What a client is told when a model takes no more requests."""
    if isinstance(error, BusyError):
        return busy(error.retry_after)
    return unavailable("The model does not answer any more; see /health.")
