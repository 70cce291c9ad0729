"""Which files may hold secrets, and so are in no snapshot, tracked by git or not.

Python source is never taken for one by the built-in patterns: `secrets.py` and `keys.py` are code.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from pathlib import Path

NAMES = (
    ".env",
    ".env.*",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.ppk",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.tfstate",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    "credentials.json",
    "client_secret*.json",
    "service-account*.json",
    "service_account*.json",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.ini",
    "secrets.env",
    "secrets.txt",
)
FOLDERS = (".ssh/*", ".aws/*", ".azure/*", ".gnupg/*", ".kube/config", ".docker/config.json", ".config/gcloud/*")
HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist", "*.pub", "*.py", "*.pyi", "*.pyx")
PEM = (".pem", ".key")
PEM_BYTES = 1 << 20

Judge = Callable[[str], str]


def make_judge(workspace: Path, patterns: Sequence[str]) -> Judge:
    """What tells of a path why it is left out, empty if it is not.

    Args:
        workspace: the folder in which the files are.
        patterns: the settings' own patterns, on the name, or on the whole path if they contain `/`.
    """
    folders = [pattern for inner in FOLDERS for pattern in (inner, f"*/{inner}")]
    suspicious, harmless = _any_of(NAMES), _any_of(HARMLESS)
    below = _any_of(folders)
    named = _any_of(pattern for pattern in patterns if "/" not in pattern)
    placed = _any_of(f"{pattern}*" if pattern.endswith("/") else pattern for pattern in patterns if "/" in pattern)

    def judge(path: str) -> str:
        lowered = path.lower()
        name = lowered.rpartition("/")[2]
        if named(name) or placed(lowered):
            return "the settings name it as a secret"
        if (suspicious(name) or below(lowered)) and not harmless(name):
            return "" if name.endswith(PEM) and _is_public(workspace / path) else "it may hold secrets"
        return ""

    return judge


def _any_of(patterns: Iterable[str]) -> Callable[[str], object]:
    """Whether a lower-case text matches one of some glob patterns."""
    alternatives = "|".join(translate(pattern.lower().removeprefix("/")) for pattern in patterns)
    return re.compile(alternatives).match if alternatives else lambda _: None


def _is_public(file: Path) -> bool:
    """Whether a PEM file holds certificates or public keys, and nothing that is private."""
    try:
        content = file.read_bytes() if not file.is_symlink() and file.stat().st_size <= PEM_BYTES else b""
    except OSError:
        return False
    return b"-----BEGIN" in content and b"PRIVATE" not in content
