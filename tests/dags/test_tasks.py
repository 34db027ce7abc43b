"""What tasks decide by themselves: the verdict, whether to wake what is downstream, what may be tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.errors import Busy, ContractError

pytestmark = pytest.mark.slow  # importing Airflow takes seconds

LANDED = {"receipts": ["r1"], "refused": []}


def _result(verdict: str, loaded: int = 0, message: str = "") -> dict[str, Any]:
    return {
        "feed": "f",
        "receipt": "r1",
        "file": "a.csv",
        "verdict": verdict,
        "rows_loaded": loaded,
        "message": message,
    }


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [(["passed"], "passed"), (["passed", "warned"], "warned"), (["duplicate"], "passed"), ([], "passed")],
)
def test_gate_passes(verdicts: list[str], expected: str) -> None:
    from dags.tasks import gate

    assert gate("f", LANDED, [_result(v) for v in verdicts]) == expected


def test_gate_names_every_stopped_batch_and_refused_file() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from dags.tasks import gate

    landed = {"receipts": ["r1"], "refused": ["[LH200] the file is a link (file=b.csv)"]}
    with pytest.raises(AirflowFailException) as failure:
        gate("f", landed, [_result("stopped", message="行数骤降"), _result("passed", 3)])
    assert "行数骤降" in str(failure.value)
    assert "b.csv" in str(failure.value)


def test_announce_counts_what_became_visible() -> None:
    from dags.tasks import announce

    assert announce([_result("passed", 3), _result("warned", 2), _result("stopped"), _result("duplicate")]) == 5


@pytest.mark.parametrize("verdicts", [["duplicate"], ["empty"], ["stopped"], []])
def test_announce_is_skipped_when_nothing_was_added(verdicts: list[str]) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from dags.tasks import announce

    with pytest.raises(AirflowSkipException):
        announce([_result(v) for v in verdicts])


def test_a_refused_product_fails_with_its_reason() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from dags.tasks import released

    fine = {"product": "a", "status": "released", "message": ""}
    assert released([fine, {**fine, "status": "unchanged"}]) == 1
    with pytest.raises(AirflowFailException, match="b: 级别过高"):
        released([fine, {"product": "b", "status": "refused", "message": "级别过高"}])


def test_faults_of_data_are_not_tried_again_but_busy_is() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from dags.tasks import _faults

    with pytest.raises(AirflowFailException, match="LH100"), _faults():
        raise ContractError("wrong", hint="mend it")
    with pytest.raises(Busy), _faults():
        raise Busy("taken")


@pytest.fixture
def pulling(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lakehouse whose one feed is pulled from a folder; the folder."""
    import shutil

    for part in ("dictionary", "codes", "grading"):
        shutil.copytree(root / "catalog" / part, tmp_path / "catalog" / part)
    feeds = tmp_path / "catalog" / "feeds" / "t"
    feeds.mkdir(parents=True)
    outbox = tmp_path / "outbox"
    (feeds / "f.yaml").write_text(
        "title: 测试\nprovider: hotline\n"
        'catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}\n'
        f"source: {{connector: folder, folder: {outbox}, settle_seconds: 0}}\n"
        "format: {type: csv}\nload: {mode: append, key: [sensor_id]}\nfields: {sensor_id: 编号}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("LAKEHOUSE_CATALOG", str(tmp_path / "catalog"))
    return outbox


def test_collect_lands_what_a_connector_brings(pulling: Path) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from dags.tasks import collect, land

    pulling.mkdir()
    with pytest.raises(AirflowSkipException):
        collect("t__f")
    (pulling / "a.csv").write_text("编号\nA\n", encoding="utf-8")
    (pulling / "b\\c.csv").write_text("编号\nB\n", encoding="utf-8")
    collected = collect("t__f")
    assert collected["files"] == []
    landed = land("t__f", collected)
    assert len(landed["receipts"]) == 1
    assert "leads out of its folder" in landed["refused"][0]


def test_a_source_that_does_not_answer_may_be_tried_again(pulling: Path) -> None:
    from catalog.errors import SourceUnavailable
    from dags.tasks import collect

    with pytest.raises(SourceUnavailable):
        collect("t__f")
