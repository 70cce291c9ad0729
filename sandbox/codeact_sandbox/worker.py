"""The program of process 1, `worker.py CONFIG`: the Worker itself is a module, which need not be compiled each time."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from codeact_sandbox.serving import main

main()
