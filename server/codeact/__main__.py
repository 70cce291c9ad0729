"""`codeact` and `python -m codeact`: the command line, which Ctrl-C ends without a word, also while it is loaded."""

import sys

CANCELLED = 130


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from codeact import cli  # noqa: PLC0415 - so that what interrupts the import is met here

        return cli.main()
    except KeyboardInterrupt:
        return CANCELLED


if __name__ == "__main__":
    sys.exit(main())
