"""What happens when a delivery is not what the contract says: the ``drift`` section of a contract and of a field."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from catalog.frozen import Model

DriftAction = Literal["freeze", "evolve", "discard_value", "quarantine"]
"""``freeze`` stops the delivery with a diff; ``evolve`` takes what came; ``discard_value`` loads the row without the
value; ``quarantine`` sets the row apart."""
TypeName = Literal[
    "default", "string", "integer", "decimal", "double", "boolean", "date", "timestamp", "geometry"
]  # fmt: skip
ByType = DriftAction | dict[TypeName, DriftAction]


class Drift(Model):
    """The policy of a contract.

    Attributes:
        columns: a column the contract does not know. ``evolve`` adds it as text (``x_<name>``), ``discard_value``
            leaves it out, ``quarantine`` sets apart the rows that have a value in it.
        types: a value that cannot be read as its field's type. ``evolve`` keeps it as text beside the field
            (``x_<field>_text``). One action, or one by data type: ``{default: quarantine, date: discard_value}``.
        codes: a value outside its field's code list. ``evolve`` takes it as it is, and says so.
    """

    columns: DriftAction = "freeze"
    types: ByType = "quarantine"
    codes: DriftAction = "quarantine"


class FieldDrift(Model):
    """The policy of one field, in place of its contract's; a single action is that of types and codes.

    Attributes:
        missing: a delivery without the field's column: ``freeze`` stops it, ``discard_value`` leaves the field empty.
    """

    types: DriftAction | None = None
    codes: DriftAction | None = None
    missing: Literal["freeze", "discard_value"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, data: Any) -> Any:
        return {"types": data, "codes": data} if isinstance(data, str) else data


def action_on_type(drift: Drift, kind: str, own: FieldDrift | None) -> DriftAction:
    """What an unreadable value of a field of type ``kind`` leads to."""
    if own is not None and own.types is not None:
        return own.types
    if isinstance(drift.types, str):
        return drift.types
    given: dict[str, DriftAction] = {str(k): v for k, v in drift.types.items()}
    return given.get(kind, given.get("default", "quarantine"))


def action_on_code(drift: Drift, own: FieldDrift | None) -> DriftAction:
    """What a value outside a field's code list leads to."""
    return own.codes if own is not None and own.codes is not None else drift.codes


def variant_name(field: str) -> str:
    """The text column that keeps what ``types: evolve`` could not read."""
    return f"x_{field}_text"
