"""PictureTask: a SampleTask whose samples are pictures or videos."""

import keras

from keras_genai.modalities.image import pictures
from keras_genai.modalities.text import Label
from keras_genai.tasks.sample_task import SampleTask


class PictureTask(SampleTask):
    """What tasks over pictures share. Pictures are float in [0, 1].

    Attributes:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` of videos.
        num_classes: int, or `None` without labels.
    """

    num_classes = None

    def __init__(self, **kwargs):
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "`image_data_format` of Keras must be 'channels_last'. Received: "
                f"{keras.config.image_data_format()!r}"
            )
        super().__init__(**kwargs)

    @property
    def target(self):
        """`Image` or `Video`, what it makes."""
        return pictures(self.image_shape)

    @property
    def given(self):
        """tuple of `Modality`: what its pictures are made from."""
        return (Label(self.num_classes),) if self.num_classes else ()
