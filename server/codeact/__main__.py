"""`python -m codeact` is the command line."""

import sys

from codeact.cli import main

if __name__ == "__main__":
    sys.exit(main())
