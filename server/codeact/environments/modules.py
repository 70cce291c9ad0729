"""Which package has a module that is missing. Never a guess: a package with a name that is near may be an attack.

Only what is well known is offered, and what the workspace's own requirement files name.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from codeact.environments.sources import find_requirements
from codeact.errors import PrepareError

SAME = [
    "altair",
    "arrow",
    "attrs",
    "babel",
    "bokeh",
    "boto3",
    "cachetools",
    "chardet",
    "click",
    "colorama",
    "cryptography",
    "cycler",
    "duckdb",
    "faker",
    "fastapi",
    "flask",
    "freezegun",
    "gitpython",
    "graphviz",
    "httpx",
    "hypothesis",
    "jinja2",
    "jsonschema",
    "lxml",
    "markdown",
    "matplotlib",
    "mistune",
    "networkx",
    "numpy",
    "openpyxl",
    "orjson",
    "pandas",
    "paramiko",
    "plotly",
    "pluggy",
    "polars",
    "psutil",
    "pyarrow",
    "pydantic",
    "pygments",
    "pytest",
    "pytz",
    "redis",
    "requests",
    "rich",
    "scipy",
    "seaborn",
    "shapely",
    "simplejson",
    "sqlalchemy",
    "statsmodels",
    "sympy",
    "tabulate",
    "tenacity",
    "toml",
    "tomlkit",
    "toolz",
    "tqdm",
    "typer",
    "unidecode",
    "urllib3",
    "uvicorn",
    "werkzeug",
    "xlrd",
    "xlsxwriter",
    "xlwt",
    "xmltodict",
]
OTHER = {
    "bs4": "beautifulsoup4", "cairosvg": "CairoSVG", "cv2": "opencv-python-headless", "dateutil": "python-dateutil",
    "docx": "python-docx", "dotenv": "python-dotenv", "git": "GitPython", "jwt": "PyJWT", "Levenshtein": "Levenshtein",
    "magic": "python-magic", "MySQLdb": "mysqlclient", "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL", "PIL": "pillow",
    "pkg_resources": "setuptools", "pptx": "python-pptx", "psycopg2": "psycopg2-binary", "pypdf": "pypdf",
    "pytest_asyncio": "pytest-asyncio", "pytest_mock": "pytest-mock", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "slugify": "python-slugify", "yaml": "PyYAML", "zmq": "pyzmq",
}  # fmt: skip
MISSING = re.compile(r"ModuleNotFoundError: No module named '(?P<module>[\w.]+)'")


def find_missing(texts: Iterable[str]) -> tuple[str, ...]:
    """The modules that error messages say are missing, each once."""
    return tuple(dict.fromkeys(found["module"] for text in texts for found in MISSING.finditer(text)))


def find_package(module: str, workspace: Path) -> str:
    """The package that has a module; empty if nobody may say so."""
    top = module.partition(".")[0]
    if known := OTHER.get(top) or (top if top in SAME else ""):
        return known
    return top if _normalise(top) in _named(workspace) else ""


def _named(workspace: Path) -> frozenset[str]:
    """The packages that the workspace asks for, normalised."""
    try:
        requirements = find_requirements(workspace)
    except PrepareError:
        return frozenset()
    names = (re.match(r"[\w.-]+", line) for line in (requirements.lines if requirements else ()))
    return frozenset(_normalise(name[0]) for name in names if name)


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
