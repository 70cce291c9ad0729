"""Whether tests do in a sandbox what they do outside: the suites of popular packages, run in both, test by test.

The packages are source distributions from the package index, by version and hash; what their tests need is installed
from wheels into an environment that both sides use. `--write` puts the table where it is kept.
"""

import argparse
import asyncio
import sys
import tarfile
import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bugs import Package, fetch
from rich.console import Console
from rich.table import Table

from codeact.environments.build import prepare
from codeact.environments.sources import Requirements
from codeact.pool import open_view, order_for
from codeact.sandboxes import describe_interpreter, find_interpreter, usable_backends
from codeact.sandboxes.base import Interpreter
from codeact.settings import Settings, load_settings
from codeact.snapshot import take_snapshot
from codeact.testing import Selection, run_tests
from codeact.trajectory import FAILING, TestReport

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))
from bare_sandbox import UncontainedSandbox  # noqa: E402

OUTSIDE = "outside"
PYTEST = "8.4.2"
TEST_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A package whose tests are run.

    Attributes:
        name, version, sha256: the source distribution.
        uses: what its tests use of a machine.
        tests: the files or folders to run.
        requires: what has to be installed, pinned; the package itself too if it is not importable from its own folder.
        known: why a test, or all whose names begin so, may come out otherwise in a sandbox.
    """

    name: str
    version: str
    sha256: str
    uses: str
    tests: tuple[str, ...]
    requires: tuple[str, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict, hash=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; 1 if a difference is not explained."""
    parser = argparse.ArgumentParser(prog="benchmarks/compatibility.py", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="PACKAGE", help="run these only")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/compatibility.md")
    options = parser.parse_args(arguments)
    subjects = [subject for subject in load_subjects() if not options.only or subject.name in options.only]
    backends = list(usable_backends())
    rows = {}
    for subject in subjects:
        print(f"{subject.name} {subject.version}", file=sys.stderr, flush=True)
        rows[subject] = try_subject(subject, backends)
    lines, unexplained = describe(rows, backends)
    if options.write:
        file = HERE / "results" / "compatibility.md"
        file.parent.mkdir(exist_ok=True)
        kept = file.read_text("utf-8").splitlines() if file.exists() and options.only else []
        file.write_text("\n".join(merge(kept, lines)) + "\n", "utf-8")
    show(rows, backends, lines)
    return 1 if unexplained else 0


def load_subjects() -> list[Subject]:
    """All packages of `compatibility.toml`."""
    data: dict[str, Any] = tomllib.loads((HERE / "compatibility.toml").read_text("utf-8"))
    return [
        Subject(name=name, **{**facts, "tests": tuple(facts["tests"]), "requires": tuple(facts.get("requires", ()))})
        for name, facts in data.items()
    ]


def try_subject(subject: Subject, backends: Sequence[str]) -> dict[str, TestReport]:
    """Reports by where the tests ran."""
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        workspace = place / "work" / subject.name
        unpack(subject, workspace)
        settings = load_settings(workspace, {"state": str(place / "state")})
        interpreter = install(subject, settings)
        return asyncio.run(run_everywhere(subject, settings, interpreter, backends))


def unpack(subject: Subject, workspace: Path) -> None:
    """Put all files of the source distribution into the workspace."""
    package = Package(subject.name, subject.version, subject.sha256, ())
    with tarfile.open(fetch(package)) as archive:
        for member in archive:
            if path := member.name.partition("/")[2]:
                archive.extract(member.replace(name=path), workspace, filter="data")


def install(subject: Subject, settings: Settings) -> Interpreter:
    """An environment with what the tests need."""
    requirements = Requirements("the benchmark", (f"pytest=={PYTEST}", *subject.requires))
    prepared = prepare(settings, requirements, find_interpreter(settings).executable, print)
    return describe_interpreter(prepared.python, settings)


async def run_everywhere(
    subject: Subject, settings: Settings, interpreter: Interpreter, backends: Sequence[str]
) -> dict[str, TestReport]:
    """Outside first, then in each sandbox."""
    selection, limits = Selection(tests=subject.tests), replace(settings.sandbox.limits, test_seconds=TEST_SECONDS)
    snapshot = await asyncio.to_thread(take_snapshot, settings)
    outside: Any = UncontainedSandbox(settings.workspace, str(interpreter.executable))
    reports = {OUTSIDE: await run_tests(outside, selection, limits)}
    for backend in backends:
        chosen = load_settings(settings.workspace, {"state": str(settings.state), "sandbox": {"backend": backend}})
        started = time.monotonic()
        async with open_view(order_for(chosen, interpreter), snapshot, "bench") as sandbox:
            reports[backend] = await run_tests(sandbox, selection, limits)
        print(f"  {backend}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return reports


def differences(reports: Mapping[str, TestReport], backend: str) -> dict[str, str]:
    """What came out otherwise in a sandbox, by node id."""
    outside = {result.node_id: result for result in reports[OUTSIDE].results}
    inside = {result.node_id: result for result in reports[backend].results}
    found = {}
    for node_id in outside.keys() | inside.keys():
        one, other = outside.get(node_id), inside.get(node_id)
        if (one and one.outcome) != (other and other.outcome):
            said = next((result.message for result in (other, one) if result and result.outcome in FAILING), "")
            before, now = one.outcome if one else "not there", other.outcome if other else "not there"
            found[node_id] = f"{before} outside, {now} inside. {said}".strip()
    return dict(sorted(found.items()))


def describe(rows: Mapping[Subject, Mapping[str, TestReport]], backends: Sequence[str]) -> tuple[list[str], int]:
    """The table in Markdown with what differs below it, and how many differences nothing explains."""
    headings = ("package", "uses", "tests", OUTSIDE, *backends, "differences", "explained")
    lines = ["# Tests in a sandbox and outside", "", f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    notes, unexplained = [], 0
    for subject, reports in rows.items():
        found = {(backend, name): text for backend in backends for name, text in differences(reports, backend).items()}
        reasons = {key: explain(subject, key[1]) for key in found}
        unexplained += sum(not reason for reason in reasons.values())
        count = len(reports[OUTSIDE].results)
        cells = (
            *(tally(reports[place]) for place in (OUTSIDE, *backends)),
            len(found),
            sum(map(bool, reasons.values())),
        )
        cells = (f"{subject.name} {subject.version}", subject.uses, count, *cells)
        lines.append(f"| {' | '.join(map(str, cells))} |")
        for (backend, name), text in found.items():
            notes.append(f"- {subject.name}, {backend}, `{name}`: {text[:300]} {reasons[backend, name] or '**?**'}")
    return [*lines, "", *notes], unexplained


def merge(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The new table, with the rows and notes of other packages that an older one has."""

    def name(line: str) -> str:
        return line.lstrip("|- ").partition(" ")[0].rstrip(",")

    names = {name(line) for line in new if line.startswith("| ")}
    kept = [line for line in old if line.startswith(("| ", "- ")) and name(line) not in names]
    head, rows = new[:4], [line for line in new[4:] if line.startswith("| ")]
    notes = [line for line in new if line.startswith("- ")]
    rows += [line for line in kept if line.startswith("| ")]
    return [*head, *sorted(rows), "", *notes, *(line for line in kept if line.startswith("- "))]


def explain(subject: Subject, node_id: str) -> str:
    """Why it is known to come out otherwise; empty if it is not."""
    return next((why for name, why in subject.known.items() if node_id.startswith(name)), "")


def tally(report: TestReport) -> str:
    """How many passed, failed and so on; or why there was no report."""
    counts = Counter(str(result.outcome) for result in report.results)
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common()) or report.problem[:200]


def show(rows: Mapping[Subject, Mapping[str, TestReport]], backends: Sequence[str], lines: Sequence[str]) -> None:
    """Print it."""
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "uses", OUTSIDE, *backends):
        table.add_column(heading, header_style="dim")
    for subject, reports in rows.items():
        table.add_row(subject.name, subject.uses, *(tally(reports[place]) for place in (OUTSIDE, *backends)))
    Console(highlight=False).print(table)
    print(*(line for line in lines if line.startswith("- ")), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
