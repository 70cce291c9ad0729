"""How a small model's code about tables begins: `table` is what the question is about."""

import pytest

from codeact.logs import log_columns
from codeact.openings import table_opening
from codeact.surroundings import is_named

SALES = "product,amount\ntea,3\ncoffee,9\n"
ORDERS = "order,customer_id,total\n1,7,10\n2,7,5\n3,8,1\n"
CUSTOMERS = "id,name\n7,Ada\n8,Ben\n"


@pytest.mark.parametrize(
    ("question", "files", "read"),
    [
        (
            "Total of data/sales.csv?",
            {"data/sales.csv": SALES, "other.csv": CUSTOMERS},
            "# The columns of table are product, amount.\ntable = pd.read_csv('data/sales.csv')",
        ),
        (
            "What sells best?",
            {"sales.csv": "day;amount\n2024-01-02;3,5\n"},
            (
                "# The columns of table are day, amount.\n"
                "table = pd.read_csv('sales.csv', sep=';', decimal=',', parse_dates=['day'])"
            ),
        ),
        (
            "Total per p?",
            {"a.jsonl": '{"p": "tea"}\n{"p": "tea"}\n'},
            "# The columns of table are p.\ntable = pd.read_json('a.jsonl', lines=True)",
        ),
        (
            "Who lives in Rome?",
            {"a.json": '[{"n": "Ada", "at": {"city": "Rome"}}]'},
            "# The columns of table are n, at.city.\ntable = pd.json_normalize(json.load(open('a.json')))",
        ),
        (
            "Cost per kind?",
            {"a.json": '{"of": 1, "pets": [{"kind": "cat", "visits": [{"cost": 3}]}, {"kind": "dog", "visits": []}]}'},
            (
                "# The columns of table are cost, kind.\n"
                "table = pd.json_normalize(json.load(open('a.json'))['pets'], 'visits', ['kind'], errors='ignore')"
            ),
        ),
        (
            "Parts of each order?",
            {"a.json": '[{"id": 1, "parts": [{"id": 5}]}]'},
            (
                "# The columns of table are parts.id, id.\n"
                "table = pd.json_normalize(json.load(open('a.json')), 'parts', ['id'], record_prefix='parts.', errors='ignore')"
            ),
        ),
        (
            "Total over sales/",
            {"sales/a.csv": SALES, "sales/b.csv": SALES, "x.csv": CUSTOMERS},
            (
                "# The columns of table are product, amount, file.\n"
                "table = pd.concat([pd.read_csv(path).assign(file=path.stem) "
                'for path in sorted(Path("sales").glob("*.csv"))])'
            ),
        ),
        (
            "Who paid most? Write it to top_customers.csv",
            {"orders.csv": ORDERS, "customers.csv": CUSTOMERS},
            (
                "# The columns of table are order, customer_id, total, id, name.\n"
                "left = pd.read_csv('orders.csv')\nright = pd.read_csv('customers.csv')\n"
                "table = pd.merge(left, right, left_on='customer_id', right_on='id')"
            ),
        ),
    ],
)
def test_the_table_that_is_meant_is_read(question: str, files: dict[str, str], read: str) -> None:
    """One that is named, the only one, all of a folder with the same columns, or two that belong together."""
    assert table_opening(question, files).endswith(f"\n# {question}\n{read}\n")


def test_a_log_is_a_table_where_its_lines_are_alike() -> None:
    """Its parts have names, and measures are numbers."""
    begun = table_opening("Which path is slowest?", {"app.log": "12:00 /a 5ms\n12:01 /b 7ms\n"})
    assert begun.splitlines()[2:] == [
        "# Which path is slowest?",
        "# The columns of table are time, path, ms.",
        "table = pd.DataFrame([line.strip().split(None, 2) for line in open('app.log')], columns=['time', 'path', 'ms'])",
        "table['ms'] = pd.to_numeric(table['ms'].str.replace('ms', ''), errors='coerce')",
    ]
    two = table_opening("How many?", {"logs/a.log": "9:00 WARN hot now\n", "logs/b.log": "9:01 INFO all is well\n"})
    assert 'for path in sorted(Path("logs").glob("*.log")) for line in open(path)]' in two
    three = {f"logs/{name}.log": f"9:00 WARN {name} is hot\n" for name in "abc"}
    some = table_opening("How many in a.log and b.log?", three)
    assert "for path in ['logs/a.log', 'logs/b.log'] for line in open(path)]" in some
    assert table_opening("How many?", {"app.log": "started\nready to serve\n"}) == ""


@pytest.mark.parametrize(
    ("lines", "names", "units"),
    [
        ("2024-05-14 08:00:30 ERROR db lost it\n2024-05-14 08:00:31 INFO web ok\n", "date time level message", {}),
        ("t=3 user=ada 12%\nt=4 user=ben 7%\n", "t user percent", {"t": "t=", "percent": "%"}),
        (
            "[12:00:01] pump-3: 4 5\n[12:00:02] pump-11: 6 7\n",
            "time pump number number2",
            {"number": "", "number2": ""},
        ),
        ("10.0.0.1 GET /a 200\n10.0.0.2 PUT /b 404\n", "client method path status", {"status": ""}),
    ],
)
def test_the_parts_of_a_log_are_known_by_how_they_look(lines: str, names: str, units: dict[str, str]) -> None:
    """Times, levels, paths, `name=value`, numbered names and measures; what is left of a line is its message."""
    found = log_columns(lines)
    assert found
    assert (" ".join(found.names), found.units) == (names, units)


def test_a_line_that_is_no_other_line_s_like_is_passed_over() -> None:
    """One traceback does not spoil a log; one line, or lines without anything known, are no table."""
    found = log_columns("9:00 INFO ok\n" * 100 + "Traceback\n")
    assert found
    assert found.names == ("time", "level", "part3")
    assert log_columns("9:00 INFO ok\n") is None
    assert log_columns("some words\nother words\n") is None


def test_where_it_cannot_be_told_nothing_is_read() -> None:
    """Tables that have nothing in common, a question about code, or no table at all."""
    assert table_opening("Which is best?", {"sales.csv": SALES, "customers.csv": CUSTOMERS}) == ""
    assert table_opening("Which function reads sales.csv?", {"sales.csv": SALES}) == ""
    assert table_opening("What is best?", {"config.json": '{"a": 1}', "empty.csv": ""}) == ""


def test_the_question_is_near_and_a_chart_has_its_import() -> None:
    """A small model looks at what is near."""
    begun = table_opening("Chart the sales.", {"sales.csv": SALES}, chart=True)
    assert begun.splitlines() == [
        "import matplotlib.pyplot as plt",
        "import pandas as pd",
        "",
        "# Chart the sales.",
        "# The columns of table are product, amount.",
        "table = pd.read_csv('sales.csv')",
    ]


def test_a_file_is_named_by_its_whole_name() -> None:
    """What only ends like it is another file."""
    assert is_named("data/customers.csv", "Read `customers.csv`.")
    assert is_named("data/customers.csv", "Read data/customers.csv.")
    assert not is_named("customers.csv", "Write top_customers.csv.")
    assert not is_named("old/sales.csv", "Read data/sales.csv.")
    assert is_named("shop/data/sales.csv", "Read ./data/sales.csv.")
