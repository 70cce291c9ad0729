"""Fetching an embedded model: several sources, one pinned hash, and nothing loaded that does not match it.

A model's file is fetched next to where it will stand, checked, and renamed into place. What was fetched before an
interruption is kept. A stamp beside the file says that this very file was checked, so that it is not read again at
every start.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codeact.errors import ModelUnavailable
from codeact.models.embedded import EMBEDDED, EmbeddedModel, find_embedded
from codeact.models.leases import drop_lock, take_lock
from codeact.models.sources import Source, SourceFailed, list_sources
from codeact.settings import Settings

BLOCK = 1024 * 1024
SPARE = 256 * BLOCK


@dataclass(frozen=True)
class PullProgress:
    """How far a pull is: what is done, and bytes of it."""

    message: str
    done: int
    total: int


@dataclass(frozen=True)
class InstalledModel:
    """An embedded model, and its file if it is on this machine."""

    model: EmbeddedModel
    file: Path | None


def installed_models(settings: Settings) -> tuple[InstalledModel, ...]:
    """All embedded models, and which of them are on this machine."""
    return tuple(InstalledModel(model, model_path(settings, model.name)) for model in EMBEDDED)


def model_path(settings: Settings, name: str) -> Path | None:
    """The checked file of an embedded model; None if it is not on this machine.

    Raises:
        ModelUnavailable: there is no embedded model of that name.
    """
    model = find_embedded(name)
    file = _folder(settings) / model.file
    return file if file.is_file() and _is_checked(file, model) else None


def pull_model(
    settings: Settings,
    name: str = "",
    on_progress: Callable[[PullProgress], None] = lambda _: None,
    source: str | None = None,
) -> Path:
    """Fetch an embedded model, unless it is there.

    Args:
        settings: where models are kept.
        name: which; empty for the default one.
        on_progress: told how far it is.
        source: a file, a folder or a base URL to take it from, and from nowhere else.

    Returns:
        Its file.

    Raises:
        ModelUnavailable: no source had it, or there is no room for it.
    """
    model = find_embedded(name)
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    lock = take_lock(folder / f"{model.file}.lock", shared=False)
    if lock is None:
        on_progress(PullProgress("waiting for another pull of this model", 0, model.size))
        lock = take_lock(folder / f"{model.file}.lock", shared=False, wait=True)
    try:
        return model_path(settings, model.name) or _pull(folder, model, on_progress, source)
    finally:
        if lock is not None:
            drop_lock(lock)


def _pull(folder: Path, model: EmbeddedModel, on_progress: Callable[[PullProgress], None], source: str | None) -> Path:
    failures = []
    for candidate in list_sources(model, source):
        try:
            _check_room(folder, model)
            return _pull_from(candidate, folder, model, on_progress)
        except (SourceFailed, OSError) as error:
            failures.append(f"{candidate.name}: {error}")
    tried = "\n".join(f"  - {failure}" for failure in failures)
    raise ModelUnavailable(
        f"The model {model.name} could not be fetched.\n{tried}\n"
        f"With a copy of {model.file} from elsewhere, run: codeact model pull {model.name} --from FILE"
    )


def _pull_from(source: Source, folder: Path, model: EmbeddedModel, on_progress: Callable[[PullProgress], None]) -> Path:
    partial = folder / f"{model.file}.{source.key}.part"
    message = f"fetching {model.name} from {source.name}"
    on_progress(PullProgress(message, partial.stat().st_size if partial.exists() else 0, model.size))
    source.fetch(model, partial, lambda done: on_progress(PullProgress(message, done, model.size)))
    on_progress(PullProgress("checking", model.size, model.size))
    digest = _hash(partial)
    if digest != model.sha256:
        size = partial.stat().st_size
        _discard(folder, f"{partial.name}*")
        raise SourceFailed(f"what it gave is not this model ({size} bytes, SHA-256 {digest}); it was removed")
    file = folder / model.file
    partial.replace(file)
    _write_stamp(file, model)
    _discard(folder, f"{model.file}.*.part*")
    return file


def _discard(folder: Path, pattern: str) -> None:
    for leftover in folder.glob(pattern):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _check_room(folder: Path, model: EmbeddedModel) -> None:
    started = sum(part.stat().st_size for part in folder.glob(f"{model.file}.*.part"))
    needed = model.size - started + SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SourceFailed(f"{folder} has {free // BLOCK} MiB free, {needed // BLOCK} MiB are needed")


def _is_checked(file: Path, model: EmbeddedModel) -> bool:
    """Whether this file is the model: by its stamp, else by its hash."""
    try:
        if json.loads(_stamp(file).read_text("utf-8")) == _describe(file, model):
            return True
    except (OSError, ValueError):
        pass
    if file.stat().st_size != model.size or _hash(file) != model.sha256:
        return False
    _write_stamp(file, model)
    return True


def _write_stamp(file: Path, model: EmbeddedModel) -> None:
    draft = _stamp(file).with_suffix(f".{os.getpid()}")
    try:
        draft.write_text(json.dumps(_describe(file, model)), "utf-8")
        draft.replace(_stamp(file))
    except OSError:
        pass  # a cache that cannot be written to: the file is read again at the next start


def _describe(file: Path, model: EmbeddedModel) -> dict[str, object]:
    status = file.stat()
    return {"sha256": model.sha256, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino}


def _stamp(file: Path) -> Path:
    return file.with_name(f"{file.name}.checked")


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder(settings: Settings) -> Path:
    return settings.cache / "models"
