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
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import bugs
import table
from baselines import BASELINES, try_baseline
from packages import FetchFailed
from rich.console import Console
from rungs import without_each
from trial import CODEACT, Setup, Trial, try_bug

from codeact import __version__

RESULTS = Path(__file__).parent / "results"
CORPORA = {
    "cheats": "tasks that only cheating passes; the answer is no fix",
    "classics": "well-known algorithms with one-line faults",
    "history": "fixes that packages made from one version to the next",
}
Attempt = Callable[[bugs.Bug], Trial]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if a promise was broken (not: if a bug was not fixed)."""
    options = make_parser().parse_args(arguments)
    facts = {**gather_facts(options.model), "sandbox": options.sandbox}
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", options.model)
    out = options.out or RESULTS / "-".join(filter(None, (facts["date"], name, options.corpus)))
    chosen = bugs.load_bugs(tuple(options.only), bugs.CORPORA[options.corpus])[: options.limit]
    systems = choose_systems(options)
    trials = list(table.load(out)) if options.resume else []
    done = {(trial.bug, trial.system) for trial in trials}
    console = Console(highlight=False)
    try:
        for number, bug in enumerate(chosen, 1):
            console.print(f"[{number}/{len(chosen)}] {bug.name}: {bug.title}", markup=False)
            for system, attempt in systems.items():
                if (bug.name, system) in done:
                    continue
                trial = replace(try_or_skip(bug, attempt), system=system)
                told = f"{trial.outcome}, {trial.seconds:.1f} s {trial.message}"
                console.print(f"  {system}: {told}", markup=False, soft_wrap=True)
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
    corpus = parser.add_mutually_exclusive_group()
    for name, about in CORPORA.items():
        corpus.add_argument(f"--{name}", dest="corpus", action="store_const", const=name, default="", help=about)
    parser.add_argument("--model", default="local", help="for codeact fix --model (default: the embedded one)")
    parser.add_argument("--sandbox", default="auto", help="for codeact fix --sandbox (default: auto)")
    parser.add_argument("--ladder", nargs="+", default=[], metavar="RUNG", help="for codeact fix --ladder")
    parser.add_argument("--rungs", action="store_true", help="try each bug also without each rung of the ladder")
    baselines = "also what the model does alone: " + ", ".join(BASELINES)
    parser.add_argument("--baseline", nargs="+", default=[], choices=BASELINES, metavar="NAME", help=baselines)
    parser.add_argument("--limit", type=int, metavar="N", help="the first N bugs only")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds for each bug")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write, without .md and .json")
    parser.add_argument("--resume", action="store_true", help="keep what that file has, run the rest")
    return parser


def choose_systems(options: argparse.Namespace) -> dict[str, Attempt]:
    """What each bug is given to, by name: CodeAct, CodeAct without one of its rungs, the model alone."""
    setup = Setup(options.model, options.sandbox, options.timeout, tuple(options.ladder))
    systems: dict[str, Attempt] = {CODEACT: partial(try_bug, setup=setup)}
    for name, ladder in without_each(options.ladder).items() if options.rungs else ():
        systems[name] = partial(try_bug, setup=replace(setup, ladder=ladder))
    for name in options.baseline:
        systems[name] = partial(try_baseline, setup=setup, name=name)
    return systems


def try_or_skip(bug: bugs.Bug, attempt: Attempt) -> Trial:
    """One trial; a package that cannot be fetched is an error of this bug only."""
    try:
        return attempt(bug)
    except FetchFailed as failure:
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
