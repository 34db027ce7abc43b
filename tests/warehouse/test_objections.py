"""Who may object to what, what may be written, and that an answer is final and audited."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from catalog.errors import UnknownName
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.objections import ObjectionRefused, answer, checked_text, month_of, objections, raise_objection

NOW = datetime(2026, 7, 2, 1, 0, tzinfo=UTC)
JUNE = date(2026, 6, 1)
FEED = "tax__arrears"


@pytest.fixture
def scored(settings: Settings) -> Settings:
    """A scorecard that holds two rules against the tax office, one of them passed, and one against the platform."""
    import pyarrow as pa

    from warehouse.delta import append_rows

    rows = [
        {"feed_id": FEED, "month": JUNE, "rule_code": code, "party": party, "failed_count": failed}
        for code, party, failed in (("uscc.uscc", "source", 2), ("fine", "source", 0), ("ours", "platform", 1))
    ]
    append_rows(settings.table_path("mart", "quality", "rule_results"), pa.Table.from_pylist(rows))
    return settings


def make(settings: Settings, catalog: Catalog, **changes: object) -> str:
    wanted = {
        "rule_code": "uscc.uscc",
        "month": JUNE,
        "department": "tax",
        "reason": "来源系统升级，已更正",
        "now": NOW,
    }
    return raise_objection(settings, catalog, FEED, **{**wanted, **changes}).id  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_objection_is_kept_answered_and_audited(scored: Settings, catalog: Catalog) -> None:
    name = make(scored, catalog)
    assert [(o.id, o.state) for o in objections(scored)] == [(name, "open")]
    done = answer(scored, catalog, name, accept=False, person="li_si", reason="同一问题上月已告知", now=NOW)
    assert (done.state, done.answered_by, done.answer) == ("rejected", "li_si", "同一问题上月已告知")
    assert objections(scored, month=date(2026, 5, 1)) == []
    lines = (scored.home / "audit" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["objection.raised", "objection.answered"]
    assert "来源系统" not in "".join(lines), "reasons stay out of the log"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"department": "hotline"}, "provided by tax"),
        ({"rule_code": "fine"}, "does not hold 'fine'"),
        ({"rule_code": "ours"}, "does not hold 'ours'"),
        ({"month": date(2026, 5, 1)}, "does not hold"),
        ({"reason": "  "}, "1 to 500"),
        ({"reason": "长" * 501}, "1 to 500"),
        ({"reason": "an identity number, made below"}, "personal value"),
    ],
)
def test_what_is_refused_is_not_kept(
    scored: Settings, catalog: Catalog, changes: dict[str, object], fault: str
) -> None:
    if "personal" in fault:
        from quality.identifiers.resident import check_character

        changes = {"reason": f"应为11010219900307073{check_character('11010219900307073')}，请核对"}
    with pytest.raises(ObjectionRefused, match=fault) as caught:
        make(scored, catalog, **changes)
    assert "11010219" not in str(caught.value)
    assert objections(scored) == []
    assert not (scored.home / "audit" / "log.jsonl").exists()


def test_nobody_objects_for_an_unknown_department(scored: Settings, catalog: Catalog) -> None:
    with pytest.raises(UnknownName):
        make(scored, catalog, department="nobody")


@pytest.mark.slow
def test_one_objection_at_a_time_and_answers_are_final(scored: Settings, catalog: Catalog) -> None:
    first = make(scored, catalog)
    with pytest.raises(ObjectionRefused, match="is open"):
        make(scored, catalog)
    with pytest.raises(ObjectionRefused, match="does not answer"):
        answer(scored, catalog, first, accept=True, person="tax", reason="同意", now=NOW)
    answer(scored, catalog, first, accept=False, person="li_si", reason="理由不足", now=NOW)
    with pytest.raises(ObjectionRefused, match="is rejected"):
        answer(scored, catalog, first, accept=True, person="li_si", reason="改判", now=NOW)
    second = make(scored, catalog, now=NOW.replace(hour=3), reason="补充了系统日志的回执号")
    answer(scored, catalog, second, accept=True, person="li_si", reason="属实", now=NOW)
    with pytest.raises(ObjectionRefused, match="is accepted"):
        make(scored, catalog)
    with pytest.raises(UnknownName):
        answer(scored, catalog, "O0", accept=True, person="li_si", reason="属实", now=NOW)


@pytest.mark.parametrize("text", ["电话13911112222打不通", "卡号6222020000000000125"])
def test_telephones_and_cards_do_not_stand_in_reasons(text: str) -> None:
    with pytest.raises(ObjectionRefused, match="personal value"):
        checked_text(text)


@pytest.mark.parametrize(
    "text", ["回执 20260601T010203-0001 第 17 行", "2026 年 6 月 1 日至 15 日停电 360 小时", "规则 rain_mm.range"]
)
def test_ordinary_reasons_pass(text: str) -> None:
    assert checked_text(f"  {text} ") == text


def test_months() -> None:
    assert month_of("2026-06") == JUNE
    for wrong in ("2026-13", "June", "2026-06-01"):
        with pytest.raises(ObjectionRefused):
            month_of(wrong)
