"""Made-up lives of people with real names, and questions about them."""

import functools
import importlib.resources
import re

import numpy as np

# Sentences that say the same, and the questions that they answer, with the answer.
FACTS = (
    (
        (
            "{name} was born in {city} on {date}.",
            "On {date}, {name} was born in {city}.",
        ),
        {
            "When was {name} born?": "{date}",
            "In which year was {name} born?": "{year}",
            "Where was {name} born?": "{city}",
            "Who was born in {city}?": "{name}",
        },
    ),
    (
        ("In {year}, {name} moved to {city}.", "{name} moved to {city} in {year}."),
        {
            "In which year did {name} move?": "{year}",
            "Where did {name} move to?": "{city}",
            "Who moved to {city}?": "{name}",
        },
    ),
    (
        (
            "{name} has worked as a {job} since {year}.",
            "Since {year}, {name} has worked as a {job}.",
        ),
        {
            "What does {name} work as?": "{job}",
            "Since which year has {name} worked?": "{year}",
            "Who works as a {job}?": "{name}",
        },
    ),
    (
        (
            "{name} bought a {thing} for {price} dollars.",
            "For {price} dollars, {name} bought a {thing}.",
        ),
        {
            "What did {name} buy?": "{thing}",
            "How much did {name} pay?": "{price} dollars",
            "Who bought a {thing}?": "{name}",
        },
    ),
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
CITIES = (
    *("Accra", "Athens", "Berlin", "Bogota", "Boston", "Cairo", "Chicago", "Dakar"),
    *("Delhi", "Dublin", "Geneva", "Hanoi", "Helsinki", "Istanbul", "Jakarta"),
    *("Kyoto", "Lagos", "Lima", "Lisbon", "London", "Madrid", "Manila", "Mexico City"),
    *("Montreal", "Mumbai", "Nairobi", "New York", "Oslo", "Paris", "Prague", "Quito"),
    *("Rome", "San Juan", "Santiago", "Seoul", "Shanghai", "Stockholm", "Sydney"),
    *("Tokyo", "Toronto", "Tunis", "Vienna", "Warsaw", "Wellington", "Zagreb"),
)
JOBS = (
    *("baker", "barber", "bus driver", "carpenter", "chemist", "cook", "dancer"),
    *("dentist", "doctor", "farmer", "gardener", "judge", "lawyer", "librarian"),
    *("nurse", "painter", "pilot", "plumber", "postman", "sailor", "shoemaker"),
    *("singer", "tailor", "taxi driver", "teacher", "translator", "writer"),
)
THINGS = (
    *("bicycle", "boat", "book", "camera", "car", "carpet", "chair", "clock", "coat"),
    *("guitar", "hat", "kettle", "lamp", "mirror", "motor bike", "piano", "radio"),
    *("ring", "sofa", "sewing machine", "table", "telescope", "tent", "violin"),
)
PARTS = 3  # training, validation, test
_HELD_OUT = 3_000  # names in each of validation and test


def questions(part, count):
    """Questions, each with a text of its own.

    A text has two to five sentences about up to three people. Names, cities, jobs
    and things come once in it, so that there is one right answer.

    Args:
        part: int, 0 for training, 1 for validation, 2 for test: other people each.
        count: int.

    Returns:
        List of `(question, context, (answer,), (start,))`, the same every time.
    """
    draws = np.random.default_rng(part)
    names = _names()
    ends = [0, len(names) - 2 * _HELD_OUT, len(names) - _HELD_OUT, len(names)]
    names = names[ends[part] : ends[part + 1]]
    return [_question(names, draws) for _ in range(count)]


def _question(names, draws):
    size = draws.integers(2, 6)
    pairs = [(who, fact) for who in range(3) for fact in range(len(FACTS))]
    chosen = _some(pairs, size, draws)
    people = draws.choice(len(names), 3, replace=False)
    values = {"city": CITIES, "job": JOBS, "thing": THINGS}
    values = {key: _some(several, size, draws) for key, several in values.items()}
    told = []
    for place, (who, fact) in enumerate(chosen):
        slots = {key: several[place] for key, several in values.items()}
        slots |= _numbers(draws)
        slots["name"] = names[people[who]]
        sentences = FACTS[fact][0]
        told.append((sentences[draws.integers(len(sentences))].format(**slots), slots))
    asked = int(draws.integers(size))
    ways = [*FACTS[chosen[asked][1]][1].items()]
    question, answer = ways[draws.integers(len(ways))]
    sentence, slots = told[asked]
    answer = answer.format(**slots)
    start = sum(len(said) + 1 for said, _ in told[:asked])
    start += re.search(rf"\b{re.escape(answer)}\b", sentence).start()
    context = " ".join(said for said, _ in told)
    return question.format(**slots), context, (answer,), (start,)


def _some(values, size, draws):
    return [values[index] for index in draws.permutation(len(values))[:size]]


def _numbers(draws):
    """A date, its year, and a price, which cannot be mistaken for a year."""
    year, month = draws.integers(1900, 2020), MONTHS[draws.integers(len(MONTHS))]
    day, price = draws.integers(1, 29), 10 * draws.integers(4, 100)
    date = f"{day} {month} {year}" if draws.integers(2) else f"{month} {day}, {year}"
    return {"year": str(year), "date": date, "price": str(price)}


@functools.lru_cache(maxsize=1)
def _names():
    """Different names of the package's list, in a fixed order, with capital letters.

    Names that are words of these texts, too, such as London and May, are left out.
    """
    sentences = [text for said, asked in FACTS for text in (*said, *asked)]
    words = " ".join([*sentences, *CITIES, *JOBS, *THINGS, *MONTHS]).lower()
    words = {*re.findall("[a-z]+", words)}
    shipped = importlib.resources.files("keras_genai.data") / "files/names.txt"
    known = dict.fromkeys(shipped.read_text("utf-8").split())
    known = [name for name in known if name not in words]
    order = np.random.default_rng(0).permutation(len(known))
    return [known[index].capitalize() for index in order]
