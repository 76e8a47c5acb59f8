"""The families of published checkpoints that can be read and written."""

from keras_genai.convert import bart, bert, blenderbot, clip, gpt2, t5, whisper

FAMILIES = {
    family.model_type: family
    for family in (
        gpt2.FAMILY,
        bert.FAMILY,
        bart.FAMILY,
        blenderbot.FAMILY,
        blenderbot.FAMILY_SMALL,
        t5.FAMILY,
        whisper.FAMILY,
        clip.FAMILY,
    )
}
