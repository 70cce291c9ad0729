"""CodeAct: fixes failing tests in a sandbox and shows you a diff that carries its own proof."""

__version__ = "0.1.0"
