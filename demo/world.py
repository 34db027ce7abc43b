"""The fixed frame of a synthetic district: its seed, day, size and divisions.

All randomness comes from :meth:`World.rng`, named streams below one seed, so that a part can
be generated alone, in any order, and always comes out the same. Nothing reads the clock.
"""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from catalog.settings import PACKAGED_CATALOG

DATA = Path(__file__).resolve().parent / "data"


@lru_cache(maxsize=16)
def word_list(name: str) -> Any:
    """A file of ``demo/data`` as plain objects; callers do not change it."""
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Street:
    """One of the 15 streets (GB/T 2260 district + NBS street part, 9 digits)."""

    code: str
    name: str
    share: float


@dataclass(frozen=True)
class Community:
    """One of the 263 communities; ``index`` is its place in the code list, ``residents`` its share."""

    index: int
    code: str
    name: str
    street: Street
    residents: int


@dataclass(frozen=True)
class World:
    """What every generator is told.

    Attributes:
        seed: same seed, same bytes.
        as_of: the last day of the district; nothing is dated later, except faults.
        residents: people living in the district, floating population included.
        faults: share of records that get an injected fault, 0..1.
    """

    seed: int
    as_of: date
    residents: int
    faults: float
    streets: tuple[Street, ...]
    communities: tuple[Community, ...] = field(repr=False)

    def rng(self, name: str, *keys: int) -> np.random.Generator:
        """The random stream called ``name``, one for each combination of ``keys``."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode()), *keys])

    @property
    def entities(self) -> int:
        """Legal entities: 1,500 at 20,000 residents, about 60,000 at 1.1 million."""
        return max(40, round(1500 * (self.residents / 20_000) ** 0.92))

    @property
    def orders(self) -> int:
        """12345 work orders in six months."""
        return max(200, round(self.residents * 0.3))


def make_world(*, seed: int, as_of: date, residents: int, faults: float, catalog_dir: Path = PACKAGED_CATALOG) -> World:
    """Read streets and communities from the code lists and share the residents among them.

    Raises:
        ValueError: for fewer than 100 residents, a negative seed, or a fault rate outside 0..0.5.
    """
    if residents < 100:
        raise ValueError("a district needs at least 100 residents")
    if seed < 0 or not 0 <= faults <= 0.5:
        raise ValueError("seed is not negative and faults lies between 0 and 0.5")
    shares = word_list("streets.yaml")["streets"]
    streets = tuple(
        Street(code=code, name=name, share=float(shares[int(code)]["share"]))
        for code, name, _ in _read_codes(catalog_dir / "codes" / "streets.csv")
    )
    by_code = {s.code: s for s in streets}
    rows = [(c, n, by_code[p]) for c, n, p in _read_codes(catalog_dir / "codes" / "communities.csv")]
    rng = np.random.default_rng([seed, zlib.crc32(b"communities")])
    size = rng.lognormal(0.0, 0.35, len(rows))
    in_street: dict[str, float] = {}
    for (_, _, street), s in zip(rows, size, strict=True):
        in_street[street.code] = in_street.get(street.code, 0.0) + float(s)
    weight = np.array([street.share * s / in_street[street.code] for (_, _, street), s in zip(rows, size, strict=True)])
    people = np.diff(np.round(np.concatenate([[0.0], np.cumsum(weight / weight.sum())]) * residents)).astype(int)
    communities = tuple(
        Community(index=i, code=c, name=n, street=s, residents=int(people[i])) for i, (c, n, s) in enumerate(rows)
    )
    return World(seed=seed, as_of=as_of, residents=residents, faults=faults, streets=streets, communities=communities)


def _read_codes(path: Path) -> list[tuple[str, str, str]]:
    with path.open(encoding="utf-8", newline="") as f:
        return [(r["code"], r["name"], r["parent"]) for r in csv.DictReader(f)]
