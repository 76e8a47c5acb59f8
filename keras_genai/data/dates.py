"""Days as people write them in eight countries, by the locale rules of Babel."""

import datetime
import functools

from keras_genai.data.extras import require

LOCALES = (
    "en_US",
    "en_GB",
    "de_DE",
    "fr_FR",
    "es_ES",
    "it_IT",
    "pt_BR",
    "nl_NL",
)
FORMATS = ("short", "medium", "long", "full")
SKELETONS = ("yMd", "yMMMd", "yMEd", "yMMMEd")
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
_LOWER = 0.3  # share of texts without capitals, as they are typed in a hurry


@functools.cache
def patterns(locale):
    """The ways of a locale to write a day that nobody can take for another day.

    They are Babel's formats and some of its skeletons, without the patterns that have
    two digits of the year or the month's number before the day. So `en_US` always
    names its months, and 4/7/1976 is a day of July.

    Args:
        locale: str, such as `"en_US"`.

    Returns:
        list of str: different patterns of Babel, such as `"EEEE, MMMM d, y"`.
    """
    rules = require("babel", "Dates").Locale.parse(locale)
    found = [rules.date_formats[name].pattern for name in FORMATS]
    found += [rules.datetime_skeletons[name].pattern for name in SKELETONS]
    return [pattern for pattern in dict.fromkeys(found) if _is_clear(pattern)]


def written_date(date, draws):
    """A day in a random way of a random locale.

    Args:
        date: `datetime.date`.
        draws: `numpy.random.Generator`.

    Returns:
        `(written, iso)`, two str.
    """
    locale = LOCALES[draws.integers(len(LOCALES))]
    ways = patterns(locale)
    text = _format(date, ways[draws.integers(len(ways))], locale)
    return text.lower() if draws.random() < _LOWER else text, date.isoformat()


@functools.cache
def texts_of_a_year():
    """tuple of str: each day of 2000 in every way of every locale.

    No other year has a longer text or one more character, because every weekday comes
    in every month with two digits.
    """
    days = [datetime.date(2000, 1, 1) + datetime.timedelta(day) for day in range(366)]
    return tuple(
        _format(day, pattern, locale)
        for locale in LOCALES
        for pattern in patterns(locale)
        for day in days
    )


def _format(date, pattern, locale):
    return require("babel.dates", "Dates").format_date(date, pattern, locale)


def _is_clear(pattern):
    parts = require("babel.dates", "Dates").tokenize_pattern(pattern)
    widths = dict(each for kind, each in parts if kind == "field")
    order = [*widths]
    is_named = widths["M"] > 2
    return widths["y"] != 2 and (is_named or order.index("d") < order.index("M"))
