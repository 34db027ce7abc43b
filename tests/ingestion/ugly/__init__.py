"""Files as departments send them, each ugly in its own way, with what a good contract makes of it.

``CASES`` maps a name to a maker of the file. A maker writes below the folder it is given and returns a ``Case``: the
path, the records the file holds, and of every column what a person would say it is. A module makes files of one kind.
"""

from __future__ import annotations

from tests.ingestion.ugly import encodings, layouts, packed, structured, values, workbooks, worse
from tests.ingestion.ugly.case import CASES, Case

__all__ = ["CASES", "Case", "encodings", "layouts", "packed", "structured", "values", "workbooks", "worse"]
