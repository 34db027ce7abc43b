"""The one family of errors a user of the lakehouse meets.

Every error says what is wrong, where, why and what to do next, and never repeats
a value that could be personal: identifiers (feed, receipt, row, column) are attributes.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LakehouseError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what is wrong and why, one sentence, without raw personal values.
        hint: the next action the reader can take.
        where: identifiers of the place (``feed=``, ``file=``, ``line=``, ``row=``, ``column=`` …).
    """

    code: ClassVar[str] = "LH000"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **where: Any) -> None:
        self.message = message
        self.hint = hint
        self.where = {k: v for k, v in where.items() if v is not None}
        super().__init__(message)

    def __str__(self) -> str:
        place = ", ".join(f"{k}={v}" for k, v in self.where.items())
        text = f"[{self.code}] {self.message}"
        if place:
            text += f" ({place})"
        if self.hint:
            text += f" → {self.hint}"
        return text

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON keys: ``error, message, hint, where``."""
        return {
            "error": self.code,
            "message": self.message,
            "hint": self.hint,
            "where": {k: str(v) for k, v in self.where.items()},
        }


class ContractError(LakehouseError):
    """A contract, dictionary or product file is not valid; ``where`` has file and line."""

    code = "LH100"
    exit_code = 2


class UnknownName(LakehouseError):
    """A feed, table, product or code list that does not exist was asked for."""

    code = "LH101"
    exit_code = 2


class InputError(LakehouseError):
    """A delivered file cannot be read as its contract says."""

    code = "LH200"
    exit_code = 3


class DriftError(InputError):
    """A delivered file has other columns than its contract and the contract freezes them."""

    code = "LH201"


class SourceError(LakehouseError):
    """A source cannot be used as the contract says: wrong address, credentials, answer or name."""

    code = "LH210"
    exit_code = 3


class SourceUnavailable(SourceError):
    """A source does not answer now; the same pull may succeed later."""

    code = "LH211"


class GateStopped(LakehouseError):
    """A critical rule failed: the batch is kept in landing and nothing of it is visible."""

    code = "LH300"
    exit_code = 4


class Busy(LakehouseError):
    """Another process is writing the same table."""

    code = "LH400"
    exit_code = 5


class QueryRefused(LakehouseError):
    """A SQL statement asks for more than one read-only statement over Delta tables may do."""

    code = "LH500"
    exit_code = 6


class ReleaseRefused(LakehouseError):
    """A product may not leave as it is declared, or what it would release fails a check."""

    code = "LH520"
    exit_code = 8
