"""What persons are linked by: the registers that name them, and when a likeness is enough."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from catalog.errors import ContractError
from catalog.model import Model
from catalog.registry import Catalog
from catalog.yamlfile import read_yaml, validate

LINKING_FILE = Path("linking") / "persons.yaml"


class PersonColumns(Model):
    """The fields of a contract that tell of one person of a record.

    Attributes:
        role: which person of the record, where it names several (a marriage has two).
        sex_is: sex code of everybody in that role, where no field says it.
        birth_year: field of a register that knows no more of the birth than its year.
        community, community_name: code, or name, of the community the person lives in.
        updated: when the record was made or changed at the source.
    """

    role: str = Field(default="self", pattern=r"^[a-z]{1,12}$")
    name: str
    resident_id: str | None = None
    sex: str | None = None
    sex_is: Literal["1", "2"] | None = None
    birth_date: str | None = None
    birth_year: str | None = None
    phone: str | None = None
    address: str | None = None
    community: str | None = None
    community_name: str | None = None
    updated: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the contract's fields."""
        given = (v for k, v in self.model_dump().items() if k not in ("role", "sex_is"))
        return tuple(dict.fromkeys(v for v in given if v))


class Thresholds(Model):
    """Match weights (base 2): from ``link`` on records are one person, from ``review`` on a person decides.

    ``margin``: by how much the best candidate must be ahead of another person's.
    """

    link: float
    review: float
    margin: float = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Thresholds:
        if self.review >= self.link:
            raise ValueError("review must lie below link")
        return self


class Linking(Model):
    """``catalog/linking/persons.yaml``.

    Attributes:
        registers: feed id to the persons of one of its records, in order of authority.
        max_block: a blocking key that more records share is not used.
        max_persons_per_id: people of unlike names on one number, beyond which it is evidence of nobody.
        max_drop_pct: a register that lost more of its records than this stops the run.
    """

    note: str
    thresholds: Thresholds
    max_block: int = Field(ge=10)
    max_persons_per_id: int = Field(ge=1)
    max_drop_pct: float = Field(gt=0, le=100)
    registers: dict[str, tuple[PersonColumns, ...]] = Field(min_length=1)


def load_linking(catalog: Catalog) -> Linking:
    """Read the registers of persons and hold them to the contracts.

    Raises:
        ContractError: a register or field is not in the catalog, or its load key is not one column.
    """
    source = read_yaml(catalog.root / LINKING_FILE)
    linking = validate(Linking, source, source.data)
    for feed_id, persons in linking.registers.items():
        if feed_id not in catalog.feeds:
            raise source.error(
                ("registers", feed_id), f"there is no feed {feed_id!r}", "name a contract of catalog/feeds"
            )
        feed = catalog.feed(feed_id)
        if len(catalog.table_key(feed)) != 1:
            raise ContractError(
                "a register of persons needs a load key of one column",
                hint="records of persons are told apart by it from run to run",
                feed=feed_id,
            )
        known = {f.name for f in catalog.fields(feed)}
        for columns in persons:
            if unknown := [f for f in columns.fields if f not in known]:
                raise source.error(
                    ("registers", feed_id),
                    f"{feed_id} has no field {', '.join(unknown)}",
                    "name fields of its contract",
                )
    return linking
