"""Which connectors there are, and the one a contract names, with its keys checked."""

from __future__ import annotations

import pkgutil
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.yamlfile import read_yaml, validate
from ingestion import connectors
from ingestion.sources.base import Connector, Params


def connector_names() -> list[str]:
    """Every connector: the modules of ``ingestion/connectors``."""
    return sorted(m.name for m in pkgutil.iter_modules(connectors.__path__))


def connector_of(catalog: Catalog, feed: Feed) -> tuple[Connector, Params]:
    """The connector of a feed and its keys.

    Raises:
        ContractError: no such connector, or a key that is unknown, missing or wrong; with file, line and field.
    """
    name = feed.source.connector
    known = connector_names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise read_yaml(catalog.files[feed.id]).error(
            ("source", "connector"),
            f"there is no connector {name!r}",
            f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}",
        )
    connector: Connector = import_module(f"ingestion.connectors.{name}").CONNECTOR
    source = read_yaml(catalog.files[feed.id])
    raw: dict[str, Any] = feed.source.params if name != "files" else {"path": feed.source.path}
    params = validate(connector.params, source, raw, ("source",))
    if connector.formats and feed.format.type not in connector.formats:
        raise source.error(
            ("format", "type"),
            f"connector {name} lands {' or '.join(connector.formats)}, not {feed.format.type}",
            f"set format.type: {connector.formats[-1]}",
        )
    return connector, params
