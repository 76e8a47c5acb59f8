"""German captions, spoken by espeak-ng and understood by CTC, letter by letter.

Run:       python train.py ctc_multi30k_german --data-dir FOLDER
Translate: python -m zoo transcribe ctc_multi30k_german a.wav
           --translate-by transformer_multi30k

FOLDER has Multi30k, raw and in tokens. The captions are spoken once and kept in
FOLDER/multi30k_spoken, or in what `--set spoken=...` names. Beside `bleu` stand
`bleu_of_letters`, where nothing is misheard, `bleu_of_text`, of the written German, and
`bleu_shuffled`, the control: references of other captions. They need a trained
transformer_multi30k; without one there are error rates only.
"""

from keras_genai.networks.deep_speech import DeepSpeech2
from keras_genai.tasks.transcription import CTC
from zoo import _speech, _speech_translation
from zoo.entry import Entry

entry = Entry(
    task=CTC,
    networks=dict(network=DeepSpeech2),
    given=("mels",),
    config=dict(
        filters=192,
        strides=(1, 3),
        units=192,
        num_layers=3,
        dropout=0.2,
        augmentation=_speech.AUGMENTATION,
    ),
    tiny=dict(filters=6, units=4, num_layers=1),
    source=_speech_translation.SOURCE,
    alphabet=True,
    recipe=_speech.ctc_recipe(3_500, 1e-3, batch_size=16, validate_every=500),
    evaluate=_speech_translation.score,
    sample=_speech_translation.write,
    needs=("sacrebleu",),
    family="speech",
    paper="Graves et al. 2006, Connectionist Temporal Classification",
)
