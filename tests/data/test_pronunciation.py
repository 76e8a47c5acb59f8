import io
import zipfile

import pytest

from keras_genai.data import pronunciation

NLTK = """\
CAT 1 K AE1 T
CATS 1 K AE1 T S
READ 1 R EH1 D
READ 2 R IY1 D
RECORD 1 R IH0 K AO1 R D
RECORD 2 R EH1 K ER0 D
RECORD 3 R IH1 K AO0 R D
"""
PLAIN = """\
;;; comments of release 0.7b
CAT  K AE1 T
READ  R EH1 D
READ(2)  R IY1 D # the other one
"""


@pytest.fixture(scope="module")
def shipped():
    return pronunciation.cmudict(batch_size=8, stand_in=True)


def write_dictionary(folder, more=20):
    """NLTK's archive in `folder`, with made-up words beside those above."""
    text = NLTK + "".join(f"A{'B' * i} 1 AH0 B\n" for i in range(1, more + 1))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cmudict/cmudict", text)
    (folder / "nltk").mkdir()
    (folder / "nltk" / "cmudict.zip").write_bytes(buffer.getvalue())


def part(arrays):
    """dict of a word to its pronunciations."""
    pairs = zip(arrays["inputs"], arrays["targets"], strict=True)
    return {str(word): [str(t) for t in texts if t] for word, texts in pairs}


def test_a_batch_has_letters_and_sounds_of_one_vocabulary(shipped):
    tokenizer = shipped.tokenizer
    features, labels, weight = next(iter(shipped.validation.epoch()))
    known = part(shipped.held_out)
    for row in range(len(labels)):
        real = features["inputs_mask"][row].numpy()
        letters = tokenizer.decode(features["inputs"][row].numpy()[real])
        sounds = labels[row].numpy()[weight[row].numpy() > 0]
        assert sounds[-1] == tokenizer.end_token
        assert tokenizer.decode(sounds) in known[letters.replace(" ", "")]


def test_no_word_is_in_two_parts_and_every_pronunciation_is_trained(shipped):
    trained = {tuple(word) for word, _ in shipped.train.content}
    for arrays in (shipped.held_out, shipped.test):
        words = {tuple(row) for row in map(shipped.tokenizer.encode, part(arrays))}
        assert words
        assert not words & trained
    assert not part(shipped.held_out).keys() & part(shipped.test).keys()
    assert len(shipped.train.content) > len(trained)


def test_vowels_carry_their_stress_if_that_is_asked_for(shipped):
    stressed = pronunciation.cmudict(batch_size=8, stand_in=True, stress=True)
    with_marks, without = part(stressed.test), part(shipped.test)
    assert with_marks.keys() == without.keys()
    assert any("1" in text for texts in with_marks.values() for text in texts)
    assert not any("1" in text for texts in without.values() for text in texts)
    assert stressed.tokenizer.vocabulary_size == shipped.tokenizer.vocabulary_size + 30


def test_published_lists_say_what_is_tested(tmp_path):
    write_dictionary(tmp_path)
    folder = tmp_path / "g2p" / "cmudict_split"
    folder.mkdir(parents=True)
    words = [f"a{'b' * index}" for index in range(1, 21)]
    (folder / "train_words").write_text("\n".join(["cat", "missing", *words]))
    (folder / "test_words").write_text("read\nrecord\n")
    splits = pronunciation.cmudict(4, data_dir=tmp_path)
    assert splits.name == "cmudict"
    assert part(splits.test) == {
        "read": ["R EH D", "R IY D"],
        # Two of three differ in stress alone.
        "record": ["R IH K AO R D", "R EH K ER D"],
    }
    assert len(part(splits.held_out)) + len(splits.train.content) == 21


def test_without_the_lists_a_tenth_of_the_words_is_for_the_test(tmp_path):
    write_dictionary(tmp_path)
    splits = pronunciation.cmudict(4, data_dir=tmp_path)
    assert splits.name == "cmudict_random_split"
    assert len(part(splits.test)) == 2
    again = pronunciation.cmudict(4, seed=5, data_dir=tmp_path)
    assert part(again.test) == part(splits.test)
    assert part(again.held_out) == part(splits.held_out)


def test_the_other_format_of_the_dictionary_is_read_too():
    found = pronunciation._dictionary(PLAIN)
    assert found == {"cat": ["K AE1 T"], "read": ["R EH1 D", "R IY1 D"]}


AFFRICATE, LONG = "t\u0361\u0283", "a\u02d0"


def write_sigmorphon(folder, language="dut"):
    for count, name in ((30, "train"), (5, "dev"), (5, "test")):
        rows = [
            f"{name[0]}{'a' * index}s\t{' '.join([AFFRICATE, *[LONG] * index, 's'])}"
            for index in range(1, count + 1)
        ]
        path = folder / f"{language}_{name}.tsv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_symbols_of_several_characters_are_one_token(tmp_path):
    write_sigmorphon(tmp_path)
    splits = pronunciation.source("sigmorphon:dut")(4, data_dir=tmp_path)
    assert splits.name == "sigmorphon2021_dut"
    assert len(splits.tokenizer.encode(f"{AFFRICATE} {LONG} s")) == 3
    assert len(splits.tokenizer.encode("taas")) == 4
    assert part(splits.test)["taas"] == [f"{AFFRICATE} {LONG} {LONG} s"]


def test_words_of_a_file_may_have_several_lines(tmp_path):
    path = tmp_path / "words.tsv"
    rows = [f"{'ab'[i % 2] * (i + 1)}\tX Y\n" for i in range(20)]
    path.write_text("".join([*rows, "bb\tY\n", "bb\tX Y\n"]))
    splits = pronunciation.source(str(path))(4)
    parts = part(splits.test) | part(splits.held_out)
    pairs = len(splits.train.content) + sum(map(len, parts.values()))
    assert pairs == 21


def test_what_is_wrong_is_said_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="`data_dir` must have CMUdict"):
        pronunciation.cmudict(4)
    with pytest.raises(FileNotFoundError, match=r"eng_us_train\.tsv"):
        pronunciation.sigmorphon(4, data_dir=tmp_path)
    path = tmp_path / "words.tsv"
    path.write_text("a\tX\nb X\n")
    with pytest.raises(ValueError, match="line 2, must have a word, a tab"):
        pronunciation.words(4, path=path)
    path.write_text("a\tX\n")
    with pytest.raises(ValueError, match="at least 10 different words"):
        pronunciation.words(4, path=path)
    with pytest.raises(ValueError, match="did you mean 'cmudict'"):
        pronunciation.source("cmudct")


@pytest.mark.parametrize(
    "line", ["WORD  QQ1 AH0", "W\0O\0R\0D  \0A\0H", "WORD 1", "WORD"]
)
def test_lines_without_sounds_of_arpabet_are_refused(line, tmp_path):
    (tmp_path / "cmudict.dict").write_text(PLAIN + line)
    with pytest.raises(ValueError, match="must have a word and its sounds, of ARPAbet"):
        pronunciation.cmudict(4, data_dir=tmp_path)


def archive(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"text",
        archive("other", NLTK),
        archive("cmudict/cmudict", NLTK).replace(b"CATS", b"DOGS"),
    ],
    ids=["no archive", "another file", "another sum"],  # archives have the time in them
)
def test_a_damaged_archive_is_named(content, tmp_path):
    (tmp_path / "cmudict.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"cmudict\.zip must be an archive with"):
        pronunciation.cmudict(4, data_dir=tmp_path)


def test_lists_of_other_words_are_refused(tmp_path):
    write_dictionary(tmp_path)
    (tmp_path / "train_words").write_text("cat cats read")
    (tmp_path / "test_words").write_text("nothing")
    with pytest.raises(ValueError, match=r"two and one\. Received: 3 and 0"):
        pronunciation.cmudict(4, data_dir=tmp_path)
