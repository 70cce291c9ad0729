"""What to do about errors that small models make again and again when they are only shown the line that failed."""

import re

ADVICE = {
    r"could not convert string to float: ''|invalid literal for int\(\) with base 10: ''": (
        "Some cells are empty: wherever a text is converted, use float(text) if text else None, and int likewise."
    ),
    r"could not convert string to float|invalid literal for int": (
        "Some values are no numbers. With pandas, pandas.to_numeric(column, errors='coerce') makes NaN of those; "
        "without, catch the ValueError for each value."
    ),
    r"unsupported operand type\(s\) for [|+&]: '(generator|map|filter|dict_\w+)'": (
        "What rglob(), glob(), map() and the like give cannot be joined with an operator: use [*one, *other]."
    ),
    r"(not enough|too many) values to unpack": (
        "Not every line has that many parts. Skip those that have not, or use line.partition(separator)."
    ),
    r"expected str, bytes or os.PathLike object, not (TextIOWrapper|Connection)": (
        "The functions of kit take paths, and open the file themselves."
    ),
    r"^KeyError: .no row has": "First give each row these keys: rows = [{**row, 'KEY': ...} for row in rows].",
    r"^IndexError": "Not every line has that many parts: skip those with too few.",
    r"unable to open database file|Cannot save file into a non-existent directory": (
        "A folder must be made before a file is written into it: os.makedirs(folder, exist_ok=True)."
    ),
    r"^UnicodeDecodeError": "Not every file is UTF-8 text: skip those that raise UnicodeDecodeError.",
    r"^IsADirectoryError": "rglob() gives folders too: skip what is not path.is_file().",
    r"Can only use \.str accessor": "Turn the column into texts first: column.astype(str).str.",
    r"not supported between instances of '(str|float|int|NoneType)' and": (
        "Not all values are of one type: turn them into numbers, or leave the empty ones out, before they are compared."
    ),
    r"is not JSON serializable": "Turn it into a number or a text first, or use json.dumps(value, default=str).",
    r"does not match format|Invalid isoformat|unconverted data remains": (
        "Dates are written in another way: look at the first rows. An ISO date is datetime.fromisoformat(text)."
    ),
    r"'NoneType' object (has no attribute '(group|groups|groupdict|span)'|is not subscriptable)": (
        "The pattern does not match every line: skip those without a match, and look at a line to see why."
    ),
    r"dictionary changed size": "Go over list(...) of it while it is changed.",
    r"agg function failed|unsupported operand type\(s\) for [+/*-]: '(str|int|float)' and '(str|int|float|NoneType)'": (
        "Some of the values are texts: turn them into numbers first."
    ),
    r"interpolation|InterpolationSyntaxError": "Use configparser.ConfigParser(interpolation=None).",
}


def advise(error: str) -> str:
    """What to do about an error, given as `Type: message`; empty if nothing is known."""
    return next((advice for pattern, advice in ADVICE.items() if re.search(pattern, error)), "")
