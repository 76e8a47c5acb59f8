"""PictureTask: a SampleTask whose samples are pictures or videos."""

import keras

from keras_genai.tasks.sample_task import SampleTask


class PictureTask(SampleTask):
    """What tasks over pictures share. Pictures are float in [0, 1].

    A subclass has the fields `target`, an `Image` or a `Video`, and `given`.
    """

    casts_inputs = False

    def _make_if_complete(self):
        # Before its networks are made.
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "`image_data_format` of Keras must be 'channels_last'. Received: "
                f"{keras.config.image_data_format()!r}"
            )
        super()._make_if_complete()

    @property
    def image_shape(self):
        """`(H, W, C)`, or `(F, H, W, C)` of videos."""
        return self.target.shape

    @property
    def num_classes(self):
        """int, or `None` without labels."""
        return self.sizes.get("num_classes")
