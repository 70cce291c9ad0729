"""The tasks for `codeact ask` and `codeact script`: read from `tasks/`, and judged by what came of them.

A task's `check` is Python with asserts. It sees what a developer would get:

    answer      the final words
    said        the final words, and all that the code printed
    artifacts   bytes of what was handed over, by name
    chart       what the last figure shows: {label: value}; of several series {(series, label): value}
    files       texts of the project with the diff applied, by path
    before      the same without it
    folder      the project with the diff applied
    run(*args)  runs the script that was kept, in a copy of the project: exit code, output, and the files after
    numbers(t)  the numbers in a text
    near(a, b)  whether two numbers, or two mappings of numbers, are the same but for rounding
"""

import csv
import io
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TASKS = Path(__file__).parent / "tasks"
SETS = ("seen", "unseen")
NUMBER = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-?\d+(?:\.\d+)?")
PYTHON_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One task.

    Attributes:
        name: the file's name.
        title: what it is, in a few words.
        kind: `ask` or `script`.
        instruction: what CodeAct is told.
        check: Python that judges the outcome.
        good: what a good model would write; `check` accepts it.
        wrong: a plausible mistake; `check` refuses it.
        words: the final answer that goes with `good`.
        files: texts of the workspace, by path.
        make: Python that writes more files, run in the workspace.
    """

    name: str
    title: str
    kind: str
    instruction: str
    check: str
    good: str
    wrong: str
    words: str = "Done."
    files: Mapping[str, str] = field(default_factory=dict)
    make: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run gave: the answer, what was printed, artifacts by name, and the diff."""

    answer: str
    said: str
    artifacts: Mapping[str, bytes]
    diff: str


def load_errands(chosen: str, only: tuple[str, ...] = ()) -> tuple[Errand, ...]:
    """The tasks of a set, or those of these names."""
    errands = [read_errand(file) for file in sorted((TASKS / chosen).glob("*.toml"))]
    if unknown := set(only) - {errand.name for errand in errands}:
        raise SystemExit(f"No task has the name {', '.join(sorted(unknown))}. See {TASKS / chosen}.")
    return tuple(errand for errand in errands if not only or errand.name in only)


def read_errand(file: Path) -> Errand:
    """Read one task."""
    return Errand(name=file.stem, **tomllib.loads(file.read_text("utf-8")))


def write_workspace(errand: Errand, folder: Path) -> None:
    """Put a task's files into an empty folder."""
    for path, text in errand.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    if errand.make:
        subprocess.run([sys.executable, "-B", "-c", errand.make], cwd=folder, check=True, timeout=PYTHON_SECONDS)


def judge(errand: Errand, outcome: Outcome, folder: Path) -> str:
    """What is wrong with an outcome; empty if it is right.

    Args:
        errand: what was asked.
        outcome: what came of it.
        folder: an empty folder, in which the diff is applied by git.
    """
    write_workspace(errand, folder)
    before = read_texts(folder)
    if outcome.diff and (trouble := apply(outcome.diff, folder)):
        return f"the diff does not apply: {trouble}"
    names = {
        "answer": outcome.answer,
        "said": outcome.said,
        "artifacts": dict(outcome.artifacts),
        "chart": read_chart(outcome.artifacts),
        "files": read_texts(folder),
        "before": before,
        "folder": folder,
        "run": lambda *arguments: run_kept(folder, before, arguments),
        "numbers": numbers,
        "near": near,
    }
    try:
        exec(compile(errand.check, f"<check of {errand.name}>", "exec"), names)  # noqa: S102 - our own checks
    except Exception as error:  # noqa: BLE001 - whatever a check stumbles over is wrong with the outcome
        return f"{type(error).__name__}: {error}".rstrip(": ")
    return ""


def apply(diff: str, folder: Path) -> str:
    """Apply a diff with git; what git says against it."""
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    patch = diff.encode("utf-8", "surrogateescape")
    done = subprocess.run(command, cwd=folder, env=environ, input=patch, capture_output=True, check=False)
    return done.stderr.decode("utf-8", "replace")[:300] if done.returncode else ""


def run_kept(folder: Path, before: Mapping[str, str], arguments: tuple[str, ...]) -> tuple[int, str, dict[str, str]]:
    """Run the script that a task kept on the project as it was before, and put everything back as it was."""
    after = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    script = next(path for path in read_texts(folder) if path.startswith("scripts/") and path not in before
                  and not path.startswith("scripts/test_"))  # fmt: skip
    for path, text in before.items():
        (folder / path).write_text(text, "utf-8")
    for file in after:
        path = file.relative_to(folder).as_posix()
        if path not in before and not path.startswith("scripts/") and is_text(file.read_bytes()):
            file.unlink()
    command = [sys.executable, "-B", script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PYTHON_SECONDS, check=False)
    found = read_texts(folder)
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        file.unlink()
    for file, content in after.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return done.returncode, done.stdout + done.stderr, found


def read_texts(folder: Path) -> dict[str, str]:
    """All files of a folder that are text, by path."""
    found = {
        file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file() and ".git" not in file.parts
    }
    return {file.relative_to(folder).as_posix(): data.decode() for file, data in found.items() if is_text(data)}


def is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8 without zeros."""
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def read_chart(artifacts: Mapping[str, bytes]) -> dict[Any, float]:
    """What the last figure shows."""
    figures = [name for name in artifacts if re.fullmatch(r"figure-\d+\.csv", name)]
    if not figures:
        return {}
    last = max(figures, key=lambda name: int(re.sub(r"\D", "", name)))
    rows = list(csv.DictReader(io.StringIO(artifacts[last].decode("utf-8"))))
    single = len({row["series"] for row in rows}) == 1
    return {row["x"] if single else (row["series"], row["x"]): float(row["y"]) for row in rows}


def numbers(text: str) -> list[float]:
    """The numbers in a text, in order."""
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def near(one: Any, other: Any) -> bool:  # noqa: ANN401 - numbers or mappings
    """Whether two numbers, or two mappings of numbers, are the same to half a percent."""
    if isinstance(one, Mapping):
        return set(one) == set(other) and all(near(value, other[key]) for key, value in one.items())
    return abs(one - other) <= max(0.005 * abs(other), 0.0051)
