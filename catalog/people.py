"""Persons who may ask for a release, and approve one: ``dictionary/people.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from catalog.model import NAME, Model
from catalog.yamlfile import read_yaml, validate

PEOPLE_FILE = Path("dictionary") / "people.yaml"


Role = Literal["request", "approve", "reveal"]


class Person(Model):
    """Somebody who signs with a passphrase only they know.

    Attributes:
        department: whom they act for, an id of ``departments.yaml``.
        roles: ``request`` asks for releases, ``approve`` approves those of others, ``reveal`` may
            look at single records of the vault.
        public_key: Ed25519, 64 hex digits, as ``lakehouse release enrol`` prints it. Whoever changes it here changes
            who can sign: a change of this file is reviewed like a contract.
        valid_to: last day (ISO date) on which their signature counts.
    """

    name: str
    department: str
    roles: tuple[Role, ...] = Field(min_length=1)
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$")
    valid_to: str = Field(default="9999-12-31", pattern=r"^\d{4}-\d{2}-\d{2}$")


def load_people(catalog_dir: Path) -> dict[str, Person]:
    """Id to person; nobody when there is no such file.

    Raises:
        ContractError: the file is not valid, or two persons have one key.
    """
    path = catalog_dir / PEOPLE_FILE
    if not path.is_file():
        return {}
    source = read_yaml(path)
    people: dict[str, Person] = {}
    for name, entry in (source.data or {}).items():
        if not NAME.match(name):
            raise source.error((name,), f"{name!r} is not a lower-case identifier", "write zhang_san")
        person = validate(Person, source, entry, (name,))
        if any(person.public_key == other.public_key for other in people.values()):
            raise source.error((name, "public_key"), "somebody else has this key", "each person enrols themselves")
        people[name] = person
    return people
