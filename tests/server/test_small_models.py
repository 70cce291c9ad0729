"""Attempts that found out the same are counted together, whatever their words; and what helps small models to be right."""

from pathlib import Path

import pytest

from codeact.advice import advise
from codeact.columns import describe_records, describe_table
from codeact.compact import keep_helpers
from codeact.consensus import essence_of, findings, names_in
from codeact.filesets import describe_fileset, named_folder
from codeact.findings import misplaced_file, unused_terms, without_content, worked_examples, wrong_columns
from codeact.mending import allow_folders, list_columns, sort_listings
from codeact.settings import load_settings
from codeact.snapshot import take_snapshot
from codeact.tooling import begin_with_tools, describe_tools
from codeact.trajectory import Action, Artifact, FileState, Observation, Step
from codeact_sandbox.toolbox import imports, links, log_rows, rename, uses


def step(stdout: str = "", *artifacts: Artifact) -> Step:
    return Step(number=1, thought="", action=Action(""), observation=Observation(stdout=stdout, artifacts=artifacts))


def chart(points: str) -> Artifact:
    return Artifact("figure-1.csv", "text/csv", f"chart,series,kind,x,y\n{points}".encode())


def test_words_do_not_count_but_numbers_and_names_do(tmp_path: Path) -> None:
    """Two answers agree when their numbers, to a few digits, and the names of the workspace in them are the same."""
    (tmp_path / "sales.csv").write_text("product,amount\ntea,3\ncoffee,9\n")
    names = names_in(take_snapshot(load_settings(tmp_path, {"state": str(tmp_path / ".state")}, {})), "Which product?")
    assert {"tea", "coffee", "sales.csv"} <= names
    assert "product" not in names, "what the question says tells nothing"
    one = essence_of([step("The best product is coffee with 1,234.5678 in all.")], {}, names)
    same = essence_of([step("coffee: 1234.567")], {}, names)
    assert one == same
    assert essence_of([step("tea: 1234.567")], {}, names) != one
    assert essence_of([step("coffee: 1235.9")], {}, names) != one
    assert findings("-3 of 1.5e3, v2", frozenset()) == {"-3", "1500"}


def test_charts_and_files_say_more_than_what_was_printed() -> None:
    """The points of a chart are compared, in any order and style; pictures are not, other files are."""
    one = essence_of([step("words", chart("a,s,bar,tea,3\na,s,bar,coffee,9.00001\n"))], {}, ())
    other = essence_of([step("others", chart("b,t,line,coffee,9\nb,t,line,tea,3\n"))], {}, ())
    picture = {"chart.png": FileState(b"pixels")}
    assert one == other == essence_of([step("", chart("b,t,line,coffee,9\nb,t,line,tea,3\n"))], picture, ())
    assert one != essence_of([step("words", chart("a,s,bar,tea,4\na,s,bar,coffee,9\n"))], {}, ())
    assert essence_of([step("x")], {"a.txt": FileState(b"1")}, ()) != essence_of([step("x")], {"a.txt": None}, ())


@pytest.mark.parametrize(
    ("paths", "instruction", "expected"),
    [
        (
            ["notes/a.txt", "notes/old/b.md", "README.md"],
            "Tidy all .txt and .md files under notes/, please.",
            '[path for path in sorted(Path("notes").rglob("*")) if path.suffix in (".md", ".txt")]',
        ),
        (["src/a.py", "src/b.py", "a.csv"], "Every Python file in src/", 'sorted(Path("src").rglob("*.py"))'),
        (["a.csv", "b.csv"], "Join the CSV files", 'sorted(Path(".").rglob("*.csv"))'),
        (["a.csv"], "Look at the CSV file", ""),
        (["a/x.csv", "b/y.csv"], "The CSV files of a/ and b/", 'sorted(Path(".").rglob("*.csv"))'),
        (["a.py", "b.py"], "What is this?", ""),
        (["in/a.csv", "b.csv"], "Write the best of in/a.csv to best.csv", ""),
        (
            ["src/a.py", "src/c.py", "src/gen/b.py"],
            "Add a header to all Python files in src/, but not in src/gen.",
            (
                '[path for path in sorted(Path("src").rglob("*")) if path.suffix in (".py",) '
                'and not path.is_relative_to("src/gen")]'
            ),
        ),
        (
            ["web/a.js", "web/a.css", "web/vendor/b.js"],
            "Format all .js and .css files of web/. Leave web/vendor/ alone.",
            (
                '[path for path in sorted(Path("web").rglob("*")) if path.suffix in (".css", ".js") '
                'and not path.is_relative_to("web/vendor")]'
            ),
        ),
    ],
)
def test_the_files_meant_are_an_expression(paths: list[str], instruction: str, expected: str) -> None:
    """Folder and kinds come from the words, as far as such files are there."""
    assert describe_fileset(paths, instruction) == expected


def test_what_an_instruction_shows_and_where_it_wants_a_file() -> None:
    """Pairs in brackets are examples; a file without a folder belongs to the project's own, unless one is named."""
    told = (
        "Change the dates in notes/ from day.month.year (3.7.2024, 24.12.2024) to ISO dates (2024-07-03, 2024-12-24)."
    )
    assert worked_examples(told) == (("3.7.2024", "2024-07-03"), ("24.12.2024", "2024-12-24"))
    assert unused_terms(told, "") == ()
    assert worked_examples("Sort them (by name) into groups (a, b).") == worked_examples("Sort them.") == ()
    assert "contacts/all.csv" in misplaced_file("Turn the cards of contacts/ into all.csv.", ["contacts/all.csv"])
    for wanted in ("Write all.csv into out/", "Write out/all.csv", "Write it"):
        assert misplaced_file(wanted, ["out/all.csv"]) == ""


def test_advice_is_given_for_known_errors_only() -> None:
    """Errors that small models repeat have an answer; others have none."""
    assert "to_numeric" in advise("ValueError: could not convert string to float: 'thirty'")
    assert "[*one, *other]" in advise("TypeError: unsupported operand type(s) for |: 'generator' and 'generator'")
    assert advise("KeyError: 'amuont'") == ""


def test_records_are_described_as_tables() -> None:
    """JSON lines and lists of objects are read as tables; nested objects are made flat, other texts are left alone."""
    lines = '{"station": "A", "mm": 3}\n{"station": "B", "mm": null}\n{"station": "A", "mm": 4}\n'
    told = describe_records("rain.jsonl", lines)
    assert "pandas.read_json('rain.jsonl', lines=True)" in told
    assert "mm: numbers from 3 to 4, 1 empty" in told
    assert "read it with read_rows('rain.jsonl')" in describe_records("rain.jsonl", lines, plain=True)
    people = '[{"name": "Ada", "address": {"city": "Rome"}}]'
    assert "row['address']['city']: text such as Rome" in describe_records("people.json", people, plain=True)
    nested = describe_records("people.json", people)
    assert "pandas.json_normalize(json.load(open('people.json')))" in nested
    assert "address.city: text such as Rome" in nested
    for text in ("{}", "[]", "[1]", "no json", '[{"tags": ["a"]}]'):
        assert describe_records("other.json", text) == ""
    assert "numbers, but also 'thirty'" in describe_table("a.csv", "age\n36\n41\nthirty\n29\n")


def test_a_web_servers_log_is_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of the Common and the Combined Log Format are taken apart; others are passed over."""
    monkeypatch.chdir(tmp_path)
    plain = '10.0.0.9 - ada [12/Mar/2024:10:01:07 +0000] "GET /a.zip HTTP/1.1" 200 88034'
    Path("web.log").write_text(f'{plain}\nnonsense\n{plain[:-5]}- "http://there" "Browser 1.0"\n')
    first, second = log_rows("web.log")
    assert (first["client"], first["path"], first["status"], first["bytes"]) == ("10.0.0.9", "/a.zip", 200, 88034)
    assert (second["bytes"], second["agent"]) == (0, "Browser 1.0")


def test_uses_of_a_name_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls, imports and definitions are told apart; comments and texts are none."""
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text('from b import load\n\n# load()\nprint(load("load"), b.load(1))\nmap(load, [])\n')
    Path("b.py").write_text("def load(x):\n    return x\n")
    assert [(row["path"], row["line"], row["kind"]) for row in uses("load")] == [
        ("a.py", 1, "import"), ("a.py", 4, "call"), ("a.py", 5, "name"), ("b.py", 1, "definition")
    ]  # fmt: skip


def test_tools_are_offered_where_there_is_something_for_them() -> None:
    """By the question's words, and only with files that they read; the example fits the question."""
    assert describe_tools("Which client addresses have most bytes?", ["web.log"]).startswith("# log_rows(path)")
    assert describe_tools("Which modules import json?", ["web.log"]) == ""
    assert 'row["decorators"]' in describe_tools("Which test functions are skipped?", ["test_a.py"])
    assert 'not row["doc"]' in describe_tools("Which functions have no docstring?", ["a.py"])
    assert describe_tools("Where is the function load called?", ["a.py"]).startswith("# uses(name,")
    assert "path not in used" in describe_tools("Which pictures are not used by a page?", ["index.html"])


def test_folders_are_read_in_order_and_made_once() -> None:
    """What a loop goes over is sorted where nothing else sorts it, and a folder may be there already."""
    code = 'for é in Path("é").glob("*"):\n    é.mkdir(parents=True)\nx = [one for one in sorted(os.listdir("."))]\n'
    mended = 'for é in sorted(Path("é").glob("*")):\n    é.mkdir(parents=True, exist_ok=True)\nx = [one for one in sorted(os.listdir("."))]\n'
    assert allow_folders(sort_listings(code)) == mended
    assert sort_listings("broken(:") == list_columns("broken(:") == "broken(:"


def test_several_columns_of_groups_are_a_list() -> None:
    """What pandas took once, and small models still write; a tuple elsewhere is a key."""
    assert (
        list_columns("t.groupby(t['ü'].dt.month)['a', 'b'].mean()") == "t.groupby(t['ü'].dt.month)[['a', 'b']].mean()"
    )
    for fine in ("t.groupby('a')['b'].sum()", "t.groupby('a')[['b', 'c']].sum()", "found[1, 2]"):
        assert list_columns(fine) == fine


def test_columns_that_were_asked_for_are_there() -> None:
    """Only a list of names counts, and only tables are looked at."""
    made = {"a.csv": FileState(b"id,name\n1,x\n"), "a.txt": FileState(b"x"), "gone.csv": None}
    assert wrong_columns("Write a.csv with the columns id and name.", made) == ""
    assert wrong_columns("Write a.csv with the columns of b.csv, sorted", made) == ""
    assert "a.csv has the columns id, name. They must be id, name, size." in wrong_columns(
        "with columns id, name, size", made
    )


def test_an_example_is_not_asked_for_by_name() -> None:
    """What an instruction only quotes as an example need not be in the code."""
    assert unused_terms("Count the lines of level WARN in CSV", "x") == ("WARN",)
    assert unused_terms("Write lines like 'de: menu.open' to missing.txt", "x") == ("missing.txt",)


def test_what_has_nothing_in_it_is_seen() -> None:
    """Tables without rows or with only zeros, and empty lists; what was deleted is none of them."""
    for path, content in (("a.csv", b"id,n\n"), ("b.csv", b"id,n\nx,0\ny,0\n"), ("c.json", b"[]\n"), ("d.txt", b"")):
        assert without_content({"gone.csv": None, path: FileState(content)}) == path
    assert without_content({"a.csv": FileState(b"id,n\nx,0\ny,1\n"), "b.txt": FileState(b"x"), "c.csv": None}) == ""


def test_code_begins_with_the_tools_that_a_question_asks_for() -> None:
    """As their example does, in the folder that is named, up to what has to be filled in; words in names do not count."""
    paths = ["orchard/trees.py", "tests/test_trees.py", "a.log"]

    def begin(question: str) -> str:
        return begin_with_tools(question, paths, named_folder(paths, question))

    assert (
        begin("Which modules import the legacy_client?") == 'from tools import imports\n\nfor row in imports("**/*"):\n'
    )
    for question, names in (
        ("Please rename the option --lang of audioguide to --language everywhere.", '"--lang", "--language"'),
        ("Rename the function calc_tot in shop to order_total everywhere", '"calc_tot", "order_total"'),
        ("Rename the class Cart to Basket.", '"Cart", "Basket"'),
        ("The option round_to of a.day_length() has a poor name. Rename it to step everywhere.", '"round_to", "step"'),
        ("Rename the command to --x", '"'),
    ):
        assert begin(question).endswith(f"print(rename({names}))" if "," in names else 'print(rename("')
    assert "exists" in begin_with_tools("Which links of docs/ are dead?", ["docs/a.md"], "docs")
    assert "exists" not in begin_with_tools("Which pages have links to the shop?", ["docs/a.md"], "")
    assert 'if "raise NotDone" in row["source"]' in begin(
        "Which functions in orchard/ raise NotDone? List their names."
    )
    assert begin("Which functions with @route are missing the @login decorator?").splitlines()[3] == (
        '    if any("route" in text for text in row["decorators"])'
        ' and not any("login" in text for text in row["decorators"]):'
    )
    assert 'uses("fetch_all")' in describe_tools("Where is fetch_all() still called in src/a_b.py?", paths)
    assert 'uses("NAME")' in describe_tools("Where are fetch_all and fetch_one still called?", paths)
    assert begin("What is the sum of all sales?") == ""
    assert keep_helpers("from tools import rename\n\nprint(rename('a', 'b'))") == "\nprint(rename('a', 'b'))"


def test_a_name_after_an_escape_is_renamed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a text in code, the letter of an escape is no part of the name that follows; parts of names are left alone."""
    monkeypatch.chdir(tmp_path)
    text = r'x = "\npoll = 5; polls, my_poll, C:\\npoll" + r"\bpoll\b", "\t--max-size 3"' + "\n"
    Path("a.py").write_text(text)
    assert rename("poll", "fresh") == "a.py: 2 places"
    assert rename("--max-size", "--limit") == "a.py: 1 places"
    changed = r'x = "\nfresh = 5; polls, my_poll, C:\\npoll" + r"\bfresh\b", "\t--limit 3"' + "\n"
    assert Path("a.py").read_text() == changed


def test_links_of_a_wiki_lead_to_its_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in double brackets is a page beside; what only looks like one in code is none."""
    monkeypatch.chdir(tmp_path)
    Path("a.md").write_text("[[b]], [[c d|so called]], [x](b.md#y)\n[[tool.x]] [[ -f a ]] [[1]]\n")
    Path("b.md").write_text("[[a#top]]\n")
    found = [(row["path"], row["line"], row["file"], row["exists"]) for row in links()]
    assert found == [
        ("a.md", 1, "b.md", True),
        ("a.md", 1, "c d.md", False),
        ("a.md", 1, "b.md", True),
        ("b.md", 1, "a.md", True),
    ]


def test_imports_are_told_by_their_full_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative import is what it leads to, also below `src`."""
    monkeypatch.chdir(tmp_path)
    Path("src/post/back").mkdir(parents=True)
    Path("src/post/back/a.py").write_text(
        "from . import b\nfrom ..old import c\nfrom .. import old\nimport os.path\nfrom re import sub\n"
    )
    assert [row["module"] for row in imports()] == ["post.back.b", "post.old.c", "post.old", "os.path", "re.sub"]
    Path("app").mkdir()
    Path("app/a.ts").write_text("""\
import _ from "lodash";
// import x from "nope"
import {
  b } from './lib/b';
/* require("nope") */
const q = require('lodash/fp'), url = "http://nope"
export * from "../up"
const z = await import("chunk");
import "side";
""")
    found = [(row["line"], row["module"]) for row in imports("app/**/*")]
    assert found == [(1, "lodash"), (3, "app/lib/b"), (6, "lodash/fp"), (7, "up"), (8, "chunk"), (9, "side")]
