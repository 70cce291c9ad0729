"""One frozen Settings value, read from the user's file, the environment and the door that was used.

Later wins: defaults, `config.toml` in the user's configuration folder, `CODEACT_*` variables, command-line options or
the editor's settings. Nothing is read from the workspace: a cloned repository must not choose an endpoint for a key,
an interpreter or a limit.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import cattrs
import platformdirs

from codeact.errors import SettingsError

MIB = 1024 * 1024


@dataclass(frozen=True)
class Secret:
    """A string that is never shown: not by `repr`, not in a traceback's locals, not in a log."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which model to ask.

    Attributes:
        name: `auto`, `local` (embedded), `local:NAME`, `replay:RUN`, `editor`, or a model name of the endpoint.
        base_url: an OpenAI-compatible endpoint; empty for the `openai` package's own default.
        api_key: the endpoint's key, if it wants one.
        timeout: seconds without a token before a request is given up.
        retries: how often a request is tried again after a passing fault.
        threads: threads for the embedded model; 0 means one per core.
        context: tokens of context for the embedded model.
        pictures: whether the endpoint's model is shown figures: `yes`, `no`, or `auto`, which goes by its name.
    """

    name: str = "auto"
    base_url: str = ""
    api_key: Secret | None = None
    timeout: float = 120.0
    retries: int = 3
    threads: int = 0
    context: int = 16384
    pictures: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a sandbox may use."""

    memory_bytes: int = 2048 * MIB
    cpus: float = 2.0
    processes: int = 256
    open_files: int = 1024
    scratch_bytes: int = 256 * MIB
    view_bytes: int = 1024 * MIB
    output_bytes: int = 64 * 1024
    action_seconds: float = 60.0
    test_seconds: float = 20.0
    suite_seconds: float = 600.0


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Which sandbox, and which Python in it.

    Attributes:
        backend: `auto`, `docker` or `bubblewrap`.
        python: interpreter for the workspace's code; empty means the workspace's virtual environment,
            else the best found.
        image: Docker image to use instead of the machine's own Python (docker backend only); `devcontainer` for the
            one that the workspace's devcontainer.json names.
        runtime: the Docker engine's runtime to use, such as `runsc` (gVisor); empty means its default.
        limits: what it may use.
        ready: how many are started before they are needed: one for the proof of a run, and in an editor one for the
            next run in each folder. 0 for none.
    """

    backend: str = "auto"
    python: str = ""
    image: str = ""
    runtime: str = ""
    limits: Limits = Limits()
    ready: int = 2


@dataclass(frozen=True, kw_only=True)
class SnapshotSettings:
    """What a snapshot may hold.

    Attributes:
        max_files: more files than this are an error.
        max_bytes: more bytes than this are an error.
        secrets: glob patterns (matched on the name, or on the whole path if they contain `/`) of files to leave out,
            beside the built-in ones.
    """

    max_files: int = 200_000
    max_bytes: int = 4096 * MIB
    secrets: tuple[str, ...] = ()


class Rung(StrEnum):
    """One way to a fix."""

    EDITS = "edits"  # single edits of the suspects, without a model
    FILL = "fill"  # suspicious statements left out, for the model to fill in
    ANSWER = "answer"  # the model's first answer
    ANSWERS = "answers"  # the rest of its schedule, begun anew
    TALK = "talk"  # its whole schedule, as one conversation


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may try, and when it gives up.

    Attributes:
        max_steps: turns of the model for each failing test.
        timeout: seconds for the whole run.
        max_tokens: tokens for each failing test, asked and answered.
        ladder: the rungs to try for a fix, in this order; none means what suits the model.
    """

    max_steps: int = 12
    timeout: float = 900.0
    max_tokens: int = 200_000
    ladder: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set.

    `state` holds runs and snapshots, `cache` what can be made again; `scripts` is the workspace's folder for scripts.
    `packages` says whether what is missing may be fetched from the package index: `never`, `ask`, or `always`.
    """

    workspace: Path
    model: ModelSettings = ModelSettings()
    sandbox: SandboxSettings = SandboxSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    budget: Budget = Budget()
    scripts: str = "scripts"
    packages: str = "ask"
    state: Path = field(default_factory=lambda: platformdirs.user_state_path("codeact"))
    cache: Path = field(default_factory=lambda: platformdirs.user_cache_path("codeact"))


Layer = Mapping[str, Any]
PICTURES = ("auto", "yes", "no")
PACKAGES = ("never", "ask", "always")

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "CODEACT_MODEL": ("model", "name"),
    "OPENAI_BASE_URL": ("model", "base_url"),
    "CODEACT_BASE_URL": ("model", "base_url"),
    "OPENAI_API_KEY": ("model", "api_key"),
    "CODEACT_API_KEY": ("model", "api_key"),
    "CODEACT_SANDBOX": ("sandbox", "backend"),
    "CODEACT_PYTHON": ("sandbox", "python"),
    "CODEACT_IMAGE": ("sandbox", "image"),
    "CODEACT_RUNTIME": ("sandbox", "runtime"),
    "CODEACT_PACKAGES": ("packages",),
    "CODEACT_STATE_DIR": ("state",),
    "CODEACT_CACHE_DIR": ("cache",),
}


def load_settings(workspace: Path, overrides: Layer | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all layers and check them.

    Args:
        workspace: the folder to work on; need not exist yet.
        overrides: what the door was told, nested like `{"model": {"name": "local"}}`.
        environ: the environment variables.

    Raises:
        SettingsError: a file cannot be read, a name is unknown, or a value has the wrong type.
    """
    file = Path(environ.get("CODEACT_CONFIG") or platformdirs.user_config_path("codeact") / "config.toml")
    merged: dict[str, Any] = {}
    for origin, layer in ((str(file), _read_file(file)), ("the environment", _read_environ(environ))):
        _structure(origin, {**layer, "workspace": workspace})  # so that the message names where a mistake stands
        merged = _merge(merged, layer)
    merged = _merge(merged, overrides or {})
    settings = _structure("the options", {**merged, "workspace": workspace.expanduser().resolve()})
    if settings.packages not in PACKAGES:
        raise SettingsError(f"The setting packages is one of {', '.join(PACKAGES)}, not {settings.packages!r}.")
    if settings.model.pictures not in PICTURES:
        raise SettingsError(
            f"The setting model.pictures is one of {', '.join(PICTURES)}, not {settings.model.pictures!r}."
        )
    for rung in settings.budget.ladder:
        if rung not in tuple(Rung):
            raise SettingsError(f"The setting budget.ladder holds some of {', '.join(Rung)}, not {rung!r}.")
    return settings


def _read_file(file: Path) -> Layer:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}. Mend or remove it.") from error


def _read_environ(environ: Mapping[str, str]) -> Layer:
    layer: dict[str, Any] = {}
    for variable, keys in VARIABLES.items():
        if value := environ.get(variable):
            leaf: Any = value
            for key in reversed(keys):
                leaf = {key: leaf}
            layer = _merge(layer, leaf)
    return layer


def _merge(below: Layer, above: Layer) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _structure(origin: str, layer: Layer) -> Settings:
    try:
        return _CONVERTER.structure(layer, Settings)
    except cattrs.BaseValidationError as error:
        details = "; ".join(line.replace("$.", "") for line in cattrs.transform_error(error, "$", _describe))
        raise SettingsError(f"A setting in {origin} is wrong: {details}.") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"A setting in {origin} is wrong: {error}.") from None


def _describe(error: BaseException, kind: type | None) -> str:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"there is no setting named {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, (TypeError, ValueError)) and "expected" in str(error):
        return str(error)
    return f"expected a {kind.__name__}" if kind else str(error)


def _structure_text(value: object, _: type) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {value!r}")
    return value


def _structure_texts(value: object, _: type) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"expected a list of texts, not {value!r}")
    return tuple(_structure_text(item, str) for item in value)


def _structure_number(value: object, kind: type) -> Any:  # noqa: ANN401 - int or float, as asked for
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"expected a number of 0 or more, not {value!r}")
    return kind(value)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _structure_text)
    converter.register_structure_hook(int, _structure_number)
    converter.register_structure_hook(float, _structure_number)
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _structure_texts)
    converter.register_structure_hook(Secret, lambda value, _: Secret(_structure_text(value, str)))
    converter.register_structure_hook(Path, lambda value, _: Path(value).expanduser())
    return converter


_CONVERTER = _make_converter()
