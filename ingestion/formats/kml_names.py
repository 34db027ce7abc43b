"""Names of a KML map's own data (``<Data name="编号">``), which GDAL would wear down to ``______``.

Two names of as many characters would then be one column, and one of two values lost. The reader is given a copy with
names that GDAL leaves alone, and puts the true ones back.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from catalog.errors import InputError
from ingestion.formats.xml import declared_utf8, xml_encoding

_DATA = re.compile(rb"""(<(?:[\w.-]+:)?Data\s(?:[^<>]*?\s)?name\s*=\s*)("[^"<>]*"|'[^'<>]*')""")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def prepared(path: Path, copy: Path) -> tuple[Path, dict[str, str]]:
    """The map at ``path`` as GDAL reads it right: itself, or a copy in UTF-8 with plain names.

    Returns:
        where it is, and the name each new one stands for.

    Raises:
        InputError: bytes that are no text of its encoding.
    """
    encoding = xml_encoding(path, "auto")[0]
    data = path.read_bytes()
    if not encoding.startswith("utf-8"):
        try:
            data = declared_utf8(data.decode(encoding).encode())
        except UnicodeDecodeError as e:
            raise InputError(
                f"the map is not {encoding} text", hint="it is damaged there; ask for it again", offset=e.start
            ) from e
    written = sorted({m.group(2) for m in _DATA.finditer(data)})
    names = {w: unescape(w[1:-1].decode("utf-8", "replace")) for w in written}
    true = {f"kml_data_{i}": n for i, n in enumerate(dict.fromkeys(names.values()))}
    if all(_PLAIN.fullmatch(n) for n in names.values()):
        true = {}
    new = {n: f'"{k}"'.encode("ascii") for k, n in true.items()}
    if new:
        data = _DATA.sub(lambda m: m.group(1) + new[names[m.group(2)]], data)
    if not new and encoding.startswith("utf-8"):
        return path, {}
    copy.write_bytes(data)
    return copy, true
