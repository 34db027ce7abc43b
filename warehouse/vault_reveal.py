"""Showing the direct identifiers of one record to a person: signed, for a purpose, and kept in the audit log.

Who may: persons of ``dictionary/people.yaml`` with the role ``reveal``. The event names person, purpose, the columns
searched by and the number of rows; it never holds a value. It is written before anything is shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalog.errors import LakehouseError, UnknownName
from catalog.model import Feed
from catalog.people import load_people
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.pseudonym import is_of_resident, load_key
from warehouse import vault
from warehouse.approvals import signer
from warehouse.audit import AuditLog
from warehouse.schema import SEALED, vault_schema

MOST_ROWS = 100
"""More rows than this are no look at a record."""


def show(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    *,
    where: Mapping[str, str],
    purpose: str,
    person: str,
    passphrase: str,
    now: datetime,
) -> list[dict[str, Any]]:
    """The vault's rows of a key, in clear.

    Args:
        where: column to value: key columns of the vault, or a direct identifier that has a pseudonym.
        purpose: what for.
        person: who looks; signs with ``passphrase``.

    Returns:
        Key columns, system columns, and every direct identifier by its field's name.

    Raises:
        ApprovalRefused: the person is not enrolled, lacks the role, or the passphrase is wrong.
        VaultFault: no purpose, or the value matches more than `MOST_ROWS` rows.
        UnknownName: the vault cannot be searched by such a column. KeyFault: the values do not open.
    """
    feed = catalog.feed(feed_id)
    log = AuditLog(settings, actor=person or "nobody")
    try:
        key = signer(load_people(settings.catalog_dir), person, passphrase, "reveal", now)
        vault.needs_purpose(purpose)
        vault.require_migrated(settings, catalog, feed)
        searched = _searchable(settings, catalog, feed, where)
        rows = vault.find_rows(settings, catalog, feed, searched, limit=MOST_ROWS + 1)
        if len(rows) > MOST_ROWS:
            raise vault.VaultFault(f"more than {MOST_ROWS} rows match", hint="search by a key that names one record")
    except LakehouseError as e:
        log.append("vault.refused", {"feed": feed_id, "person": person, "reason": e.code}, at=now)
        raise
    detail: dict[str, Any] = {
        "feed": feed_id,
        "person": person,
        "purpose": purpose.strip(),
        "key_columns": list(where),
        "rows": len(rows),
    }
    signed = json.dumps({**detail, "at": now.isoformat()}, ensure_ascii=False, sort_keys=True)
    detail["signature"] = key.sign(hashlib.sha256(signed.encode()).digest()).hex()
    log.append("vault.revealed", detail, at=now)
    return rows


def _searchable(settings: Settings, catalog: Catalog, feed: Feed, where: Mapping[str, str]) -> dict[str, str]:
    """``where`` over the columns the vault table has; a direct identifier is searched by its pseudonym."""
    columns = [n for n in vault_schema(catalog, feed).names if n not in (SEALED, "_loaded_at")]
    keyed = {f.name: f.element.pseudonym for f in catalog.vaulted(feed) if f.element.pseudonym}
    if not where:
        raise UnknownName("nothing to search by", hint=f"columns of this vault: {', '.join([*columns, *keyed])}")
    found: dict[str, str] = {}
    for name, value in where.items():
        pseudonym = keyed.get(name)
        if pseudonym:
            key = load_key(settings.keys, create=False)
            made = key.resident_key(value) if is_of_resident(pseudonym) else key.pseudonym(value.strip())
            found[pseudonym] = made
        elif name in columns:
            found[name] = value
        else:
            raise UnknownName(
                f"the vault of {feed.id} cannot be searched by {name!r}",
                hint=f"by one of: {', '.join([*columns, *keyed])}",
                feed=feed.id,
            )
    return found
