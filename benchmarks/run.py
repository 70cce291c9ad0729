"""`make bench`: how many bugs of the corpus `codeact fix` fixes, and what that costs.

Each bug is a run of the command line in a folder of its own, judged without CodeAct. What is done is saved after each
bug, so a long benchmark can be ended with Ctrl-C and taken up again with --resume.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import bugs
import table
from rich.console import Console
from trial import Setup, Trial, try_bug

from codeact import __version__

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if a promise was broken (not: if a bug was not fixed)."""
    options = make_parser().parse_args(arguments)
    facts = {**gather_facts(options.model), "sandbox": options.sandbox}
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", options.model) + "-cheats" * options.cheats
    out = options.out or RESULTS / f"{facts['date']}-{name}"
    chosen = bugs.load_bugs(tuple(options.only), bugs.CHEATS if options.cheats else bugs.CORPUS)[: options.limit]
    trials = list(table.load(out)) if options.resume else []
    done = {trial.bug for trial in trials}
    console = Console(highlight=False)
    try:
        for number, bug in enumerate(chosen, 1):
            if bug.name in done:
                continue
            console.print(f"[{number}/{len(chosen)}] {bug.name}: {bug.title}", end=" ", markup=False)
            trial = try_or_skip(bug, Setup(options.model, options.sandbox, options.timeout, tuple(options.ladder)))
            console.print(f"-> {trial.outcome}, {trial.seconds:.1f} s {trial.message}", markup=False, soft_wrap=True)
            trials.append(trial)
            table.save(out, trials, facts)
    except KeyboardInterrupt:
        console.print("\nStopped. Take it up again with --resume.")
    if trials:
        table.show(trials, facts)
        console.print(f"Written to {os.path.relpath(out)}.md and .json", soft_wrap=True)
    return 1 if any(is_broken(trial) for trial in trials) else 0


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="bugs or kinds of bugs (default: all)")
    parser.add_argument("--cheats", action="store_true", help="tasks that only cheating passes; the answer is no fix")
    parser.add_argument("--model", default="local", help="for codeact fix --model (default: the embedded one)")
    parser.add_argument("--sandbox", default="auto", help="for codeact fix --sandbox (default: auto)")
    parser.add_argument("--ladder", nargs="+", default=[], metavar="RUNG", help="for codeact fix --ladder")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N bugs only")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds for each bug")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write, without .md and .json")
    parser.add_argument("--resume", action="store_true", help="keep what that file has, run the rest")
    return parser


def try_or_skip(bug: bugs.Bug, setup: Setup) -> Trial:
    """One trial; a package that cannot be fetched is an error of this bug only."""
    try:
        return try_bug(bug, setup)
    except bugs.FetchFailed as failure:
        return Trial(bug=bug.name, kind=bug.kind, outcome="error", message=str(failure))


def is_broken(trial: Trial) -> bool:
    """Whether a trial broke a promise."""
    return trial.touched or bool(trial.leftovers) or trial.outcome in ("unsound", "deceived", "error")


def gather_facts(model: str) -> dict[str, str]:
    """What the figures depend on."""
    command = ["git", "-C", str(RESULTS.parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "model": model,
        "codeact": __version__ + (f" ({commit})" if commit else ""),
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
    }


if __name__ == "__main__":
    sys.exit(main())
