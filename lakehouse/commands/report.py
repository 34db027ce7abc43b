"""Reports: how accurate the libraries are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse.context import both

if TYPE_CHECKING:
    from warehouse.entities.accuracy import EntityAccuracy

app = typer.Typer(help="Reports.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.callback()
def _group() -> None:
    """Reports."""


@app.command()
def linkage(
    truth: Annotated[Path | None, typer.Option(help="Folder with the truth; default that of the demo.")] = None,
    as_json: Json = False,
) -> None:
    """Accuracy of linking and of the values chosen, against the truth, in all and by kind of fault."""
    from lakehouse.present import print_json, print_table
    from warehouse.entities.accuracy import measured_entities
    from warehouse.linking.accuracy import measure

    settings, catalog = both()
    found = measure(settings, catalog, truth or settings.home / "truth")
    entities = measured_entities(settings, truth or settings.home / "truth")
    if as_json:
        scores = {**linkage_scores(found), **(entities.scores() if entities else {})}
        print_json({**found.model_dump(), "entities": entities, "scores": scores})
        return
    print_table(
        "人口比对 · linkage",
        ("measure", "precision", "recall", "F1", "right", "found", "true"),
        [
            (name, *(matches.row()[n] for n in ("precision", "recall", "f1", "right", "found", "true")))
            for name, matches in (
                ("pairs", found.pairs),
                ("pairs without a valid ID", found.pairs_without_id),
                ("persons (whole)", found.clusters),
            )
        ],
        caption=f"{found.records:,} records, {found.records_without_id:,} without a valid ID of their own; "
        f"{found.persons:,} persons found, {found.true_persons:,} true",
    )
    for title, lines in (("by fault", found.faults), ("by ID", found.id_forms)):
        print_table(
            title,
            (title, "records", "right", "share"),
            [(x.fault, x.records, x.right, round(x.right / x.records, 4)) for x in lines],
        )
    print_table(
        f"取值 · survivorship {found.value_share:.4f}",
        ("element", "persons", "right", "share"),
        [(v.element, v.persons, v.right, round(v.right / v.persons, 4) if v.persons else None) for v in found.values],
    )
    if entities is not None:
        _entities(entities)


def _entities(found: EntityAccuracy) -> None:
    """Records of organisations: how they were linked, by how name and code were written."""
    from lakehouse.present import print_table

    scores = found.scores()
    print_table(
        "法人关联 · entities",
        ("measure", "precision", "recall", "F1"),
        [
            (label, *(format(scores[f"{name}_{n}"], ".4f") for n in ("precision", "recall", "f1")))
            for label, name in (("records", "entities"), ("records by name alone", "entities_by_name"))
        ],
        caption=f"{found.records:,} records, {found.true:,} of organisations of the district",
    )
    for title, lines in (("by name", found.name_kinds), ("by code", found.code_kinds)):
        print_table(
            title,
            (title, "records", "right", "wrong", "missed"),
            [(x.kind, x.records, x.right, x.wrong, x.missed) for x in lines],
        )


def linkage_scores(found: Any) -> dict[str, float]:
    """The headline figures of `warehouse.linking.accuracy.Accuracy`."""
    return {
        "pairs_f1": round(found.pairs.f1, 5),
        "pairs_without_id_f1": round(found.pairs_without_id.f1, 5),
        "persons_f1": round(found.clusters.f1, 5),
        "survivorship": round(found.value_share, 5),
    }
