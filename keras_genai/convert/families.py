"""The families of published checkpoints that can be read and written."""

from keras_genai.convert import (
    albert,
    bart,
    bert,
    blenderbot,
    clip,
    distilbert,
    electra,
    gemma,
    gpt2,
    llama,
    mistral,
    modernbert,
    mpnet,
    phi3,
    qwen,
    roberta,
    t5,
    whisper,
)

FAMILIES = {
    family.model_type: family
    for family in (
        gpt2.FAMILY,
        bert.FAMILY,
        roberta.FAMILY,
        roberta.FAMILY_XLM,
        roberta.FAMILY_CAMEMBERT,
        distilbert.FAMILY,
        mpnet.FAMILY,
        electra.FAMILY,
        albert.FAMILY,
        modernbert.FAMILY,
        bart.FAMILY,
        blenderbot.FAMILY,
        blenderbot.FAMILY_SMALL,
        t5.FAMILY,
        whisper.FAMILY,
        clip.FAMILY,
        llama.FAMILY,
        mistral.FAMILY,
        qwen.QWEN2,
        qwen.QWEN3,
        phi3.FAMILY,
        gemma.GEMMA2,
        gemma.GEMMA3,
    )
}
