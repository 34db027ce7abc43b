"""What tasks decide by themselves: the verdict, whether to wake what is downstream, what may be tried again."""

from __future__ import annotations

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
