"""What a small model's script may use for its files: each function does what its description says, and stands alone."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from codeact.framing import frame
from codeact.kits import add_kit, choose_kit, describe_kit, opening
from codeact.scriptkit import (
    KIT,
    groups_of,
    headings_of,
    read_database,
    read_ini,
    read_rows,
    tags_of,
    totals_of,
    write_rows,
)

CSV = '\ufeffid;name;size\n1;"a; b";\n2;ü\n'
RECORDS = [{"id": 1, "size": None}, {"id": 2, "tag": "x"}]


def test_rows_are_whole_whatever_they_are_read_from(tmp_path: Path) -> None:
    """Separator, byte order mark, short rows and missing keys; texts stay texts, and a null stays one."""
    for name, text in (
        ("a.csv", CSV),
        ("a.json", json.dumps(RECORDS)),
        ("a.jsonl", "".join(f"{json.dumps(record)}\n\n" for record in RECORDS)),
        ("one.json", json.dumps(RECORDS[1])),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    assert read_rows(tmp_path / "a.csv") == [
        {"id": "1", "name": "a; b", "size": ""},
        {"id": "2", "name": "ü", "size": ""},
    ]
    assert read_rows(tmp_path / "a.json") == [{"id": 1, "size": None, "tag": ""}, {"id": 2, "size": "", "tag": "x"}]
    assert read_rows(str(tmp_path / "a.jsonl")) == read_rows(tmp_path / "a.json")
    assert read_rows(tmp_path / "one.json") == [RECORDS[1]]
    (tmp_path / "a.ini").write_text("[one]\nkey = 50%\n", "utf-8")
    assert read_ini(tmp_path / "a.ini") == {"one": {"key": "50%"}}


def test_rows_are_written_with_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    """In any format, into a new folder; a column that no row has is an error that shows a row."""
    rows = [{"b": 1, "a": "x,y"}, {"a": "z"}]
    write_rows(tmp_path / "new/a.csv", rows, columns=["a", "b"])
    write_rows(tmp_path / "new/a.tsv", rows)
    write_rows(tmp_path / "new/a.jsonl", rows, ["b"])
    assert (tmp_path / "new/a.csv").read_bytes() == b'a,b\n"x,y",1\nz,\n'
    assert (tmp_path / "new/a.tsv").read_text() == "b\ta\n1\tx,y\n\tz\n"
    assert (tmp_path / "new/a.jsonl").read_text() == '{"b": 1}\n{"b": ""}\n'
    with pytest.raises(KeyError, match="no row has city"):
        write_rows(tmp_path / "b.csv", rows, ["a", "city"])
    write_rows(tmp_path / "totals.csv", {"x": 1, "y": 2}, ["name", "n"])
    write_rows(tmp_path / "cells.csv", [["x", 1], ("y", 2)], ["name", "n"])
    assert (tmp_path / "totals.csv").read_text() == (tmp_path / "cells.csv").read_text() == "name,n\nx,1\ny,2\n"
    with pytest.raises(TypeError, match="and one is 'x'"):
        write_rows(tmp_path / "c.csv", ["x"])
    with pytest.raises(ValueError, match="gather all its rows"):
        write_rows(tmp_path / "new/a.csv", rows)


def test_a_script_holds_what_it_uses_and_nothing_else(tmp_path: Path) -> None:
    """The import of the kit and the model's own versions are gone, and the script runs without CodeAct."""
    code = """
from kit import read_rows, write_table

def read_rows(path):
    return []

def work():
    for path in sorted(Path("data").rglob("*.csv")):
        write_table("build/all.db", path.stem, read_rows(path))
"""
    script = frame(add_kit(code), "x")
    assert "kit" not in script
    assert script.count("def read_rows") == script.count("def write_table") == 1
    assert "def write_rows" not in script
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a b.csv").write_text('x,"the ""y"""\n1,2\n')
    (tmp_path / "job.py").write_text(script)
    subprocess.run([sys.executable, "-I", "job.py"], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-I", "job.py"], cwd=tmp_path, check=True)
    connection = sqlite3.connect(tmp_path / "build/all.db")
    found = connection.execute('SELECT x, "the ""y""" FROM "a b"').fetchall()
    connection.close()
    assert found == [("1", "2")]


def test_all_of_the_kit_runs_in_a_script(tmp_path: Path) -> None:
    """No function needs an import that the script does not get."""
    code = "\n".join(f"    print({name}.__name__)" for name in KIT)
    script = frame(add_kit(f"def work():\n{code}\n    print(groups_of([{{'a': 1}}], 'a'), totals_of([], 'a'))\n"), "x")
    (tmp_path / "job.py").write_text(script)
    done = subprocess.run([sys.executable, "-I", "job.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [*KIT, "{1: [{'a': 1}]} {}"]
    assert "Any" not in script


def test_what_documents_and_databases_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headings outside of code, links with where they lead, comments by their word, and all tables of a database."""
    assert headings_of("# One #\n\n```\n# no\n```\n\n## Two\n#three\n") == [(1, "One"), (2, "Two")]
    monkeypatch.chdir(tmp_path)
    Path("a.md").write_text("See [b](b.md#top), [c](c.md) and [the web](https://example.org).\n")
    Path("b.md").write_text("")
    Path("a.html").write_text("<!-- <img src=x> -->\n<IMG src='a.png' hidden><p>\n<img alt='' src=b.png />")
    tags = [{"line": 2, "src": "a.png", "hidden": None}, {"line": 3, "alt": "", "src": "b.png"}]
    assert tags_of("a.html", "img") == tags
    Path("a.py").write_text("x = 1  # TODO: two\n# todo\n")
    code = """
from kit import links_of, comments_of

def work():
    print([(row["target"], row["exists"]) for row in links_of("a.md")])
    print(comments_of(Path("a.py"), "TODO"))
"""
    Path("job.py").write_text(frame(add_kit(code), "x"))
    done = subprocess.run([sys.executable, "-I", "job.py"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[('b.md#top', True), ('c.md', False), ('https://example.org', True)]",
        "[{'path': 'a.py', 'line': 1, 'text': 'two'}]",
    ]
    with closing(sqlite3.connect("a.db")) as connection, connection:
        connection.executescript('CREATE TABLE "a b" (x, y); INSERT INTO "a b" VALUES (1, NULL); CREATE TABLE c (z)')
    assert read_database("a.db") == {"a b": [{"x": 1, "y": None}], "c": []}


def test_rows_of_all_files_are_gathered_where_one_file_is_asked_for() -> None:
    """Several tables with the same columns are read into one list, unless each is to become something of its own."""
    paths, files = ["in/a.csv", "in/b.csv"], 'sorted(Path("in").rglob("*.csv"))'
    gathered = "rows = [row for path in paths for row in read_rows(path)]"
    same = dict.fromkeys(paths, "job,hours\na,1\n")
    begun = opening("Add up the hours of the CSV files in in/ into total.csv", paths, files, same)
    assert gathered in begun
    assert "Those of hours become numbers with float(row['hours'] or 0)." in begun
    assert gathered not in opening("Make in.db with one table for each file of in/", paths, files, same)
    assert gathered not in opening(
        "Put the CSV files of in/ into all.csv", paths, files, {paths[0]: "a\n1\n", paths[1]: "b\n1\n"}
    )


def test_lines_of_logs_are_rows_where_they_are_alike() -> None:
    """The parts of the lines have names; lines that have nothing in common stay texts."""
    paths, files = ["in/a.log"], 'sorted(Path("in").rglob("*.log"))'
    alike = {"in/a.log": "9:00 WARN pump-3 is hot\n9:01 INFO pump-11 runs\n"}
    begun = opening("Count the warnings of each pump in in/ into w.csv", paths, files, alike)
    assert "dict(zip(names, line.split(None, 3)))" in begun
    assert "'pump': 'pump-3', 'message': 'is hot'" in begun
    odd = opening("Count the lines of in/ into w.csv", paths, files, {"in/a.log": "a\n"})
    assert "    lines = [line for path in paths for line in read_lines(path)]\n" in odd


def test_a_model_is_told_of_what_may_help_and_begins_with_its_files() -> None:
    """A database is spoken of only where there is one, and code begins with the table or the files that are meant."""
    paths = ["people.json", "notes/a.md", "notes/b.md"]
    assert "write_table" not in choose_kit("convert people.json", paths)
    assert "write_table" in choose_kit("put people.json into an SQLite file", paths)
    assert "- write_rows(path, rows, columns=()): Write a list" in describe_kit(
        choose_kit("convert people.json", paths)
    )
    begun = opening("Write a script that sorts people.json by name. Nothing else.", paths, "", {})
    assert begun.endswith(
        "    # sorts people.json by name.\n    # Nothing else.\n    rows = read_rows('people.json')\n"
    )
    assert opening("x", paths, "FILES", {}).endswith("    paths = FILES\n")


def test_repeated_elements_are_rows(tmp_path: Path) -> None:
    """Of an XML file, the elements that occur most often, with their attributes and what is in them."""
    (tmp_path / "a.xml").write_text(
        '<log><by>me</by><entries><one n="1"><kind>owl</kind></one><one n="2"><kind> </kind></one></entries></log>'
    )
    assert read_rows(tmp_path / "a.xml") == [{"n": "1", "kind": "owl"}, {"n": "2", "kind": ""}]


def test_a_table_is_added_to_and_begun_anew_by_the_next_run(tmp_path: Path) -> None:
    """A loop may write row by row; a second run of the script does not double them."""
    code = 'def work():\n    for n in (1, 2):\n        write_table("a.db", "t", {"n": n, "x": 0}, columns=["n"])\n'
    (tmp_path / "job.py").write_text(frame(add_kit(code), "x"))
    for _ in range(2):
        subprocess.run([sys.executable, "-I", "job.py"], cwd=tmp_path, check=True)
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("SELECT * FROM t").fetchall() == [(1,), (2,)]
    connection.close()


def test_totals_of_groups_are_numbers_as_people_write_them() -> None:
    """Whole numbers stay whole, tenths add up, empty cells count nothing; without a column rows are counted."""
    rows = [
        {"job": "a", "hours": "0.1"},
        {"job": "a", "hours": "0.2"},
        {"job": "b", "hours": ""},
        {"job": "b", "hours": "2"},
    ]
    assert totals_of(rows, "job", "hours") == {"a": 0.3, "b": 2}
    assert totals_of(rows, by="job") == {"a": 2, "b": 2}
    assert groups_of(rows, "job")["b"] == [row for row in rows if row["job"] == "b"]
    assert sum(map(len, groups_of(rows, "job", "hours").values())) == len(rows)
    with pytest.raises(KeyError, match="counted without"):
        totals_of(rows, "job", "cost")
