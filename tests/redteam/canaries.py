"""Persons nobody else is: planted into deliveries, and looked for wherever they must not be."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Canary:
    """One planted person. Direct identifiers name them alone; birth date and address help to."""

    name: str
    resident_id: str
    phone: str
    birth: date
    address: str
    household: str

    @property
    def direct(self) -> tuple[str, ...]:
        return (self.name, self.resident_id, self.phone, self.household)

    @property
    def quasi(self) -> tuple[str, ...]:
        return (self.birth.isoformat(), f"{self.birth:%Y/%m/%d}", f"{self.birth:%Y%m%d}", self.address)


def resident_id(area: str, birth: date, number: int) -> str:
    """A valid resident ID (GB 11643-1999)."""
    body = f"{area}{birth:%Y%m%d}{number:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def _canary(name: str, birth: date, n: int, address: str) -> Canary:
    return Canary(name, resident_id("110102", birth, 700 + n), f"1398765{n:04d}", birth, address, f"HK99887766{n:02d}")


PERSONS = (
    _canary("亓官琲曌", date(1947, 3, 19), 41, "西城区雀舌胡同77号院9单元1201"),
    _canary("濮阳甯彧", date(1952, 11, 23), 52, "西城区竹影巷甲31号2门604"),
    _canary("令狐翀旻", date(1938, 7, 29), 63, "西城区墨池街118号北楼505"),
    _canary("赫连姝砚", date(1961, 10, 13), 74, "西城区归燕里6楼3单元902"),
)
"""In the household register; the last has a faulty birth date there and so stands in quarantine."""
VISITOR = _canary("呼延璟岚", date(1955, 8, 17), 85, "西城区听枫大街209号院4号楼701")
"""In the register of the floating population."""
CALLER = _canary("闾丘韫芷", date(1949, 12, 9), 96, "西城区问津路15号院2号楼303")
"""Called the hotline, and says who they are in the text."""
EVERYBODY = (*PERSONS, VISITOR, CALLER)
DIRECT = tuple(v for c in EVERYBODY for v in c.direct)
QUASI = tuple(v for c in EVERYBODY for v in c.quasi)
ALL = DIRECT + QUASI


def found_in(text: str, values: Iterable[str] = ALL) -> list[str]:
    """Canary values in a text."""
    return [v for v in values if v in text]


def search(root: Path, values: Iterable[str] = ALL, *, leave_out: Iterable[str] = ()) -> dict[str, list[str]]:
    """File below ``root`` (relative) to the canary values it holds, looked for inside archives and tables too.

    Args:
        leave_out: beginnings of relative paths that are not searched.
    """
    wanted, skipped, found = tuple(values), tuple(leave_out), {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        name = path.relative_to(root).as_posix()
        if name.startswith(skipped):
            continue
        hits = {v for text in _texts(path.name, path.read_bytes()) for v in found_in(text, wanted)}
        if hits := hits | set(found_in(name, wanted)):
            found[name] = sorted(hits)
    return found


def _texts(name: str, content: bytes) -> Iterator[str]:
    """Everything a file says: as bytes in the encodings in use, and unpacked where it is packed."""
    for encoding in ("utf-8", "gb18030", "utf-16-le"):
        yield content.decode(encoding, errors="ignore")
    if name.endswith((".json", ".jsonl", ".html", ".js", ".log")) and b"\\u" in content:
        yield content.decode("utf-8", errors="ignore").encode().decode("unicode_escape", errors="ignore")
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for member in packed.namelist():
                yield from _texts(member, packed.read(member))
    elif content.startswith(b"\x1f\x8b"):
        yield from _texts(name.removesuffix(".gz"), gzip.decompress(content))
    elif content.startswith(b"PAR1"):
        yield _table_text(content)


def _table_text(content: bytes) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    return "\n".join(str(v) for column in table.columns for v in column.to_pylist() if v is not None)
