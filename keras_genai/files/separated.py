"""Tables as text: CSV files, whatever separates their cells."""

import csv
import io
from collections.abc import Iterable, Sequence

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_text

LARGEST = 256 * 2**20  # bytes of a file
SEPARATORS = ",;\t|"


def read_columns(path: AnyPath) -> dict[str, list[str]]:
    """The columns of a CSV file, whose first line names them.

    What separates the cells is found in the first line: the commonest of a comma, a
    semicolon, a tab and `|`. Lines of nothing are left out.

    Args:
        path: str or path, UTF-8.

    Returns:
        dict from the name of a column to its cells, without blanks around them.

    Raises:
        OSError: if the file does not exist or cannot be read.
        ValueError: if a name is missing or there twice, a line has more or fewer cells
            than there are names, or there are no lines.
    """
    text = read_text(path, LARGEST)
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)  # of none, the comma
    reader = csv.reader(
        io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True
    )
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_names(names, path)
        rows = []
        for row in reader:
            cells = [cell.strip() for cell in row]
            if len(cells) != len(names) and any(cells):
                raise ValueError(
                    f"{path}, line {reader.line_num}, must have {len(names)} cells, "
                    f"as the first line has. Received: {len(cells)}"
                )
            if any(cells):
                rows.append(cells)
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {reader.line_num}, must be CSV. Received: {error}"
        ) from None
    if not rows:
        raise ValueError(f"{path} must have lines below its names. Received: none")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def encode_rows(names: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    r"""A CSV file: a line of names, then a line a row, each ended by `\n`.

    Args:
        names: of the columns.
        rows: the cells of each row.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return file.getvalue().encode()


def _check_names(names: Sequence[str], path: AnyPath) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or "" in names or twice:
        came = f"{twice[0]!r} twice" if twice and twice != [""] else "one without"
        raise ValueError(
            f"{path} must name every column in its first line, each differently. "
            f"Received: {came}"
        )
