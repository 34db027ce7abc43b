"""What a release may be used for is decided before it leaves: approval, groups, budget, and a mark on every copy."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from catalog.errors import ReleaseRefused, UnknownName
from catalog.model import Product
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.keys import KeyFault
from tests.delta_rows import rows_of
from warehouse import approvals, release_private
from warehouse.approvals import ApprovalRefused
from warehouse.publish import Release, publish
from warehouse.release_private import BudgetSpent
from warehouse.release_watermark import who_leaked

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
ASKER, SIGNER = "asker walks along the moat", "signer walks along the moat"
RECIPIENTS = ["civil_affairs", "health"]
Make = Callable[..., Catalog]


def rows(count: int, *, shift: float = 0.0) -> pa.Table:
    return pa.table(
        {
            "record_number": pa.array(range(count), pa.int64()),
            "person": [f"p{i}" for i in range(count)],
            "arrears_cny": pa.array([100 + i * 1.37 + shift for i in range(count)], pa.float64()),
            "remark": [f"说明（{i}）" for i in range(count)],
            "street": ["月坛" if i % 3 else "金融街" for i in range(count)],
            "age_band": [str(i // 20 * 10) for i in range(count)],
            "illness": ["a" if i < 20 else "ab"[i % 2] for i in range(count)],
        }
    )


@pytest.fixture
def make(catalog: Catalog, settings: Settings) -> Make:
    fill(settings, rows(120))

    def build(**over: Any) -> Catalog:
        spec: dict[str, Any] = {
            "id": "sample",
            "title": "样例",
            "owner": "statistics",
            "table": "population.people",
            "purpose": "检验",
            "legal_basis": "检验依据",
            "recipients": RECIPIENTS,
            "columns": {"record_number": {"grade": 1}, "arrears_cny": {"label": "欠缴"}, "remark": {}},
            "order_by": ["record_number"],
            "formats": ["csv", "xlsx", "parquet", "delta"],
            "watermark": {"arrears_cny": {"digits": 2}},
            **over,
        }
        return catalog.model_copy(update={"products": {"sample": Product.model_validate(spec)}})

    return build


def fill(settings: Settings, table: pa.Table) -> None:
    write_deltalake(
        settings.table_path("library", "population", "people"), table, mode="overwrite", schema_mode="overwrite"
    )


def one(settings: Settings, catalog: Catalog, *, at: datetime = NOW) -> Release:
    return publish(settings, catalog, "sample", now=at)[0]


def manifest(release: Release) -> dict[str, Any]:
    assert release.folder is not None
    return json.loads((release.folder / "manifest.json").read_text())


# --- watermark --------------------------------------------------------------------------------------------------


def test_every_recipient_has_a_copy_of_its_own(settings: Settings, make: Make) -> None:
    release = one(settings, make())
    assert release.folder is not None
    assert {p.name for p in release.folder.iterdir()} == {"CHANGES.md", "dictionary.csv", "manifest.json", *RECIPIENTS}
    wanted = {"sample.csv", "sample.xlsx", "sample.parquet", "dictionary.csv"}
    for recipient in RECIPIENTS:
        assert {p.name for p in (release.folder / recipient).iterdir()} == wanted
    for listed in manifest(release)["files"]:
        assert (release.folder / listed["name"]).stat().st_size == listed["bytes"]
    mark = manifest(release)["watermark"]
    assert (mark["status"], mark["recipients"]) == ("marked", RECIPIENTS)
    assert mark["distinct_values"] >= 64
    read = [pq.read_table(release.folder / r / "sample.parquet")["arrears_cny"].to_pylist() for r in RECIPIENTS]
    assert read[0] != read[1]
    original = rows(120)["arrears_cny"].to_pylist()
    assert max(abs(a - b) for a, b in zip(read[0], original, strict=True)) <= 0.015 + 1e-9
    extract = rows_of(settings.table_path("extract", "extract", "sample"))
    assert sorted(extract["arrears_cny"].to_pylist()) == sorted(original)
    assert (settings.keys / "watermark.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["sample.csv", "sample.xlsx", "sample.parquet"])
def test_a_released_file_names_its_recipient(settings: Settings, make: Make, tmp_path: Path, name: str) -> None:
    catalog = make()
    release = one(settings, catalog)
    assert release.folder is not None
    leaked = tmp_path / f"found-{name}"
    shutil.copy(release.folder / "health" / name, leaked)
    assert [m.recipient for m in who_leaked(settings, catalog, leaked, "sample") if m.is_named] == ["health"]
    assert [m.recipient for m in who_leaked(settings, catalog, leaked) if m.is_named] == ["health"]


def test_same_content_is_the_same_release_and_marks_do_not_flicker(settings: Settings, make: Make) -> None:
    first = one(settings, make())
    assert one(settings, make(), at=NOW + timedelta(days=1)).status == "unchanged"
    table = rows(120)
    arrears = table["arrears_cny"].to_pylist()
    fill(settings, table.set_column(2, "arrears_cny", pa.array([*arrears[:-1], arrears[-1] + 5])))
    second = one(settings, make(), at=NOW + timedelta(days=2))
    assert second.changes == {"added": 0, "removed": 0, "changed": 1}
    assert second.folder != first.folder


NOT_MARKED = {
    "nothing declared": ({"watermark": {}}, "未声明"),
    "for everybody": ({"recipients": ["public"], "opening": "unconditional"}, "面向社会"),
    "no files": ({"formats": ["delta"]}, "不含文件"),
}


@pytest.mark.parametrize("name", NOT_MARKED)
def test_a_release_without_mark_says_why(settings: Settings, make: Make, name: str) -> None:
    over, reason = NOT_MARKED[name]
    mark = manifest(one(settings, make(**over)))["watermark"]
    assert mark["status"] == "none"
    assert reason in mark["reason"]


def test_few_values_are_marked_and_called_weak(settings: Settings, make: Make) -> None:
    fill(settings, rows(20))
    mark = manifest(one(settings, make()))["watermark"]
    assert mark["status"] == "weak"
    assert "20" in mark["reason"]


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"watermark": {"record_number": {"digits": 0}}}, "key"),
        ({"watermark": {"nothing": {"digits": 0}}}, "not released"),
        ({"watermark": {"remark": {"digits": 1}}}, "carries nothing"),
    ],
)
def test_what_must_not_change_is_no_carrier(settings: Settings, make: Make, over: dict[str, Any], reason: str) -> None:
    with pytest.raises(ReleaseRefused, match=reason):
        one(settings, make(**over))


def test_detection_needs_the_key_and_a_marked_release(settings: Settings, make: Make, tmp_path: Path) -> None:
    catalog = make()
    leaked = tmp_path / "x.csv"
    leaked.write_text("a\n1\n")
    with pytest.raises(ReleaseRefused, match="no release with watermarks"):
        who_leaked(settings, catalog, leaked)
    one(settings, catalog)
    assert not any(m.is_named for m in who_leaked(settings, catalog, leaked))
    with pytest.raises(UnknownName):
        who_leaked(settings, catalog, leaked, "nothing")
    (settings.keys / "watermark.key").unlink()
    with pytest.raises(KeyFault, match="missing"):
        who_leaked(settings, catalog, leaked)


# --- approval ---------------------------------------------------------------------------------------------------


@pytest.fixture
def signed(settings: Settings, tmp_path: Path, root: Path) -> Settings:
    """The lakehouse with two persons who can sign."""
    folder = tmp_path / "catalog"
    shutil.copytree(root / "catalog" / "audit", folder / "audit")
    (folder / "dictionary").mkdir()
    lines = [
        f"{who}: {{name: x, department: health, roles: [{role}], public_key: '{approvals.public_key(who, words)}'}}"
        for who, role, words in (("asker", "request", ASKER), ("signer", "approve", SIGNER))
    ]
    (folder / "dictionary" / "people.yaml").write_text("\n".join(lines))
    return settings.model_copy(update={"catalog_dir": folder})


def test_grade_three_is_released_once_approved(signed: Settings, make: Make) -> None:
    columns = {"record_number": {"grade": 1}, "person_name": {"from": "person", "grade": 3, "mask": "partial_name"}}
    catalog = make(columns=columns, watermark={}, formats=["csv"])
    with pytest.raises(ApprovalRefused, match="grade 3"):
        one(signed, catalog)
    log = [json.loads(line)["event"] for line in (signed.home / "audit" / "log.jsonl").read_text().splitlines()]
    assert log[-1] == "release.refused"
    asked = approvals.request(signed, catalog, "sample", person="asker", passphrase=ASKER, now=NOW)
    with pytest.raises(ApprovalRefused):
        one(signed, catalog)
    approvals.approve(signed, catalog, asked.id, person="signer", passphrase=SIGNER, now=NOW)
    release = one(signed, catalog)
    assert release.status == "released"
    assert manifest(release)["approvals"][0]["approvers"] == ["signer"]
    with pytest.raises(ApprovalRefused):
        one(signed, catalog, at=NOW + timedelta(days=91))


# --- groups -----------------------------------------------------------------------------------------------------

GROUPED: dict[str, Any] = {
    "columns": {"street": {"grade": 2}, "age_band": {"grade": 2}, "illness": {"grade": 2}},
    "order_by": [],
    "watermark": {},
    "formats": ["csv"],
}


def test_groups_are_looked_at_in_every_release(settings: Settings, make: Make) -> None:
    catalog = make(**GROUPED, anonymity={"quasi": ["street", "age_band"], "k": 5})
    found = manifest(one(settings, catalog))["anonymity"]
    assert (found["k"], found["smallest"], found["groups"]) == (5, 6, 12)
    fill(settings, rows(124))
    with pytest.raises(ReleaseRefused, match="2 groups of fewer than 5") as caught:
        one(settings, catalog, at=NOW + timedelta(days=1))
    assert "suppress" in caught.value.hint


def test_small_groups_stay_behind_when_asked(settings: Settings, make: Make) -> None:
    fill(settings, rows(124))
    spec = {"quasi": ["street", "age_band"], "k": 5, "suppress": True}
    assert one(settings, make(**GROUPED, anonymity=spec)).rows == 120


def test_a_group_must_not_betray_its_sensitive_value(settings: Settings, make: Make) -> None:
    spec = {"quasi": ["street", "age_band"], "k": 5, "sensitive": "illness", "l": 2}
    with pytest.raises(ReleaseRefused, match="l-diversity"):
        one(settings, make(**GROUPED, anonymity=spec))
    assert one(settings, make(**GROUPED, anonymity={**spec, "suppress": True})).rows == 100


def test_counts_are_groups_of_persons(settings: Settings, make: Make) -> None:
    def release(counts: list[int | None]) -> Release:
        fill(settings, pa.table({"street": list("abcd"), "persons_count": pa.array(counts, pa.int64())}))
        columns = {"street": {"grade": 1}, "persons_count": {"grade": 1}}
        spec = {"quasi": ["street"], "k": 5, "count": "persons_count"}
        return one(settings, make(**{**GROUPED, "columns": columns}, anonymity=spec))

    assert release([5, 0, None, 90]).rows == 4
    with pytest.raises(ReleaseRefused, match="1 groups of fewer than 5"):
        release([4, 0, None, 90])


def test_groups_of_columns_that_do_not_leave_are_a_mistake(settings: Settings, make: Make) -> None:
    with pytest.raises(ReleaseRefused, match="not released"):
        one(settings, make(**GROUPED, anonymity={"quasi": ["birth_date"], "k": 5}))


# --- private counts ---------------------------------------------------------------------------------------------


@pytest.fixture
def private(make: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Catalog]:
    monkeypatch.setattr(approvals, "APPROVERS", dict.fromkeys((1, 2, 3, 4), 0))
    monkeypatch.setattr(approvals, "approval_grade", lambda catalog, product: 4)

    def build(**over: Any) -> Catalog:
        columns = {"street": {"grade": 2}, "age_band": {"grade": 2}}
        counts = {"person": "person", "epsilon": 1.0, "budget": 2.0, "k": 5, **over}
        base = {"order_by": ["street", "age_band"], "watermark": {}, "formats": ["csv", "parquet", "delta"]}
        return make(**base, columns=columns, private_counts=counts)

    return build


def exact() -> dict[tuple[str, str], int]:
    table = rows(120)
    return dict(Counter(zip(table["street"].to_pylist(), table["age_band"].to_pylist(), strict=True)))


def test_grade_four_leaves_as_noisy_counts(settings: Settings, private: Callable[..., Catalog]) -> None:
    catalog = private()
    release = one(settings, catalog)
    assert release.folder is not None
    table = pq.read_table(release.folder / "sample.parquet")
    assert table.column_names == ["street", "age_band", "persons_count"]
    got = {(s, a): n for s, a, n in zip(*(c.to_pylist() for c in table.columns), strict=True)}
    assert set(got) <= set(exact())
    assert min(got.values()) >= 5
    assert all(abs(n - exact()[cell]) < 40 for cell, n in got.items())
    found = manifest(release)
    assert found["privacy"]["spent"] == 1.0
    assert found["privacy"]["delta"] < 0.02
    assert found["rows"] == len(got)
    # A repeated run draws no second noise, spends nothing, and its extract is the released one.
    assert one(settings, catalog, at=NOW + timedelta(days=1)).status == "unchanged"
    extract = rows_of(settings.table_path("extract", "extract", "sample"))
    assert extract.sort_by([("street", "ascending"), ("age_band", "ascending")])["persons_count"].to_pylist() == [
        got[cell] for cell in sorted(got)
    ]
    assert rows_of(settings.platform_path("privacy_budget")).num_rows == 1


def test_the_exact_counts_never_reach_the_extract_after_a_crash(
    settings: Settings, private: Callable[..., Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import publish as publishing

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_finish", die)
        with pytest.raises(KeyboardInterrupt):
            one(settings, private())
    release = one(settings, private())
    assert release.folder is not None
    extract = rows_of(settings.table_path("extract", "extract", "sample"))
    released = pq.read_table(release.folder / "sample.parquet")
    assert sorted(extract["persons_count"].to_pylist()) == sorted(released["persons_count"].to_pylist())
    assert not list((settings.releases / "sample").glob(".rows*"))


def test_the_budget_of_a_year_ends(settings: Settings, private: Callable[..., Catalog]) -> None:
    for day in range(2):
        fill(settings, rows(120 + 10 * day))
        one(settings, private(), at=NOW + timedelta(days=day))
    fill(settings, rows(150))
    with pytest.raises(BudgetSpent, match="spent 2 of its privacy budget of 2 for 2026"):
        one(settings, private(), at=NOW + timedelta(days=3))
    assert len(list((settings.releases / "sample").iterdir())) == 2
    assert one(settings, private(), at=NOW + timedelta(days=60)).status == "released"


def test_somebody_in_several_cells_is_refused(settings: Settings, private: Callable[..., Catalog]) -> None:
    table = rows(120)
    fill(settings, table.set_column(1, "person", pa.array(["same", "same", *table["person"].to_pylist()[2:]])))
    with pytest.raises(ReleaseRefused, match="stands in 2 cells"):
        one(settings, private())


def test_grade_four_does_not_leave_as_rows(settings: Settings, private: Callable[..., Catalog], make: Make) -> None:
    assert private()
    with pytest.raises(ReleaseRefused, match="as counts only"):
        one(settings, make())


@pytest.mark.parametrize(
    ("over", "reason"),
    [({"person": "nobody"}, "no column 'nobody'"), ({"count": "street"}, "what is counted by")],
)
def test_private_counts_are_declared_well(
    settings: Settings, private: Callable[..., Catalog], over: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ReleaseRefused, match=reason):
        one(settings, private(**over))


def test_a_digest_of_exact_counts_cannot_be_guessed(settings: Settings) -> None:
    sealed = release_private.sealed(settings, (3, "1", "2"))
    assert sealed == release_private.sealed(settings, (3, "1", "2"))
    assert sealed != release_private.sealed(settings, (3, "1", "3"))
