"""How many pictures a policy makes before it learns from them, and how."""

import dataclasses

from keras_genai.checks import check_integer, check_number, check_part, check_size
from keras_genai.registry import register
from keras_genai.samplers.diffusion import Ancestral, Sampler

__all__ = ["TrajectorySettings"]

MOST_PICTURES = 2**24


@register
@dataclasses.dataclass(frozen=True)
class TrajectorySettings:
    """What a diffusion model makes before it learns from it.

    Args:
        pictures: int. In a rollout; a multiple of those of each prompt.
        steps: int >= 2. Denoisings of a picture. The last one draws nothing, so that
            one less is learned from.
        guidance: float >= 0, see `Diffusion.generate`.
        sampler: `Sampler`. Only those that draw have steps with a probability,
            `Ancestral()` and `DDIM(eta)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    pictures: int = 128
    steps: int = 20
    guidance: float = 1.0
    sampler: Sampler = dataclasses.field(default_factory=Ancestral)

    noun = "pictures"  # no annotation: not a field

    def __post_init__(self):
        check_size("pictures", self.pictures, most=MOST_PICTURES)
        check_integer("steps", self.steps, 2)
        check_number("guidance", self.guidance, "at least 0", lambda value: value >= 0)
        check_part(
            "sampler", self.sampler, "posterior", "keras_genai.samplers.diffusion"
        )

    @property
    def rows(self):
        """int: pictures of a rollout."""
        return self.pictures

    def get_config(self):
        return {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
