"""``files``: departments drop files below ``<home>/drop``; a file that has landed is removed from there."""

from __future__ import annotations

from collections.abc import Iterator

from ingestion import landing
from ingestion.sources.base import Fetched, Params, Pull


class FilesParams(Params):
    """Attributes:
    path: glob below the drop folder; its safety is checked with the contract.
    """

    path: str


class Files:
    name = "files"
    params = FilesParams
    formats: tuple[str, ...] = ()

    def place(self, params: FilesParams) -> str:
        return f"drop/{params.path}"

    def fetch(self, params: FilesParams, pull: Pull) -> Iterator[Fetched]:
        """The files that wait, oldest first. Loads take them one by one themselves (``ingestion.load``)."""
        for path in landing.waiting(pull.settings, pull.feed):
            yield Fetched(path, str(path.relative_to(pull.settings.drop)))


CONNECTOR = Files()
