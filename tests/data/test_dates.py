import collections
import datetime
import re

import numpy as np
from babel.dates import format_date

from keras_genai.data import dates


def days(year):
    first = datetime.date(year, 1, 1)
    return [first + datetime.timedelta(day) for day in range(365)]


def test_no_text_can_mean_two_days():
    """Those of another year differ in four digits."""
    meanings = collections.defaultdict(set)
    for locale in dates.LOCALES:
        for pattern in dates.patterns(locale):
            for day in days(2021):
                text = format_date(day, pattern, locale)
                assert re.search(r"\b2021\b", text)
                meanings[text.lower()].add(day)
    assert all(len(found) == 1 for found in meanings.values())


def test_the_rules_are_those_of_each_country():
    date = datetime.date(1987, 7, 4)

    def written(locale):
        ways = dates.patterns(locale)
        return {format_date(date, pattern, locale) for pattern in ways}

    assert written("en_US") == {
        "Jul 4, 1987",
        "July 4, 1987",
        "Saturday, July 4, 1987",
        "Sat, Jul 4, 1987",
    }
    assert {"04/07/1987", "Saturday, 4 July 1987"} <= written("en_GB")
    assert {"4.7.1987", "Samstag, 4. Juli 1987"} <= written("de_DE")
    assert {"04/07/1987", "samedi 4 juillet 1987"} <= written("fr_FR")
    assert "sábado, 4 de julho de 1987" in written("pt_BR")


def test_every_locale_and_way_is_drawn_and_iso_is_right():
    draws = np.random.default_rng(0)
    start = (dates.LAST - dates.FIRST).days
    for day in draws.integers(0, start, 2000).tolist():
        date = dates.FIRST + datetime.timedelta(day)
        text, iso = dates.written_date(date, draws)
        assert iso == date.isoformat()
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        assert numbers in ([date.day, date.year], [date.day, date.month, date.year])
    drawn = {dates.written_date(days(2021)[60], draws)[0] for _ in range(4000)}
    every = {
        format_date(days(2021)[60], pattern, locale)
        for locale in dates.LOCALES
        for pattern in dates.patterns(locale)
    }
    assert drawn == every | {text.lower() for text in every}


def test_a_year_shows_every_character_and_the_longest_text():
    texts = dates.texts_of_a_year()
    characters, longest = {*"".join(texts)}, max(map(len, texts))
    draws = np.random.default_rng(1)
    for year in range(1900, 2100, 9):
        for day in days(year)[:: 1 + year % 3]:
            text, _ = dates.written_date(day, draws)
            assert {*text} <= characters
            assert len(text) <= longest
