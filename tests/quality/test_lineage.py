"""Grades flow by column lineage; only what is registered lowers them, and nothing silently."""

from __future__ import annotations

from datetime import date
from textwrap import dedent
from typing import Any

import pytest

from catalog.registry import Catalog
from quality.flow import Flow
from quality.lineage import GradeRefused, GradeReport, ModelSpec, Relation, check, source

ON = date(2026, 7, 1)
FEED = "feed.register"


def _flow(grade: int, identifier: str = "none", element: str = "", feed: str = FEED) -> Flow:
    known = identifier != "none"
    return Flow(
        grade=grade,
        quasi=frozenset({element} if known else ()),
        direct=identifier == "direct",
        registers=frozenset({feed} if known else ()),
    )


def _register(name: str) -> Relation:
    columns = {
        "person_key": _flow(3, "direct", "resident_id", name),
        "birth_date": _flow(3, "quasi", "birth_date", name),
        "sex_code": _flow(2, "quasi", "sex_code", name),
        "ethnic_code": _flow(2, "quasi", "ethnic_code", name),
        "education_code": _flow(2, "quasi", "education_code", name),
        "community_code": _flow(1),
        "note": _flow(3),
        "updated_at": _flow(1),
    }
    return source(name, columns, ["person_key"])


def _orders() -> Relation:
    columns = {"order_id": _flow(1), "called_at": _flow(2), "street_code": _flow(1), "hours": _flow(2)}
    return source("feed.orders", columns, ["order_id"])


SOURCES = {
    FEED: _register(FEED),
    "feed.floating": _register("feed.floating"),
    "feed.orders": _orders(),
    "codes.streets": source("codes.streets", {"code": Flow(), "name": Flow()}, ["code"]),
}
MASKS = {"partial_name": ("left((x), 1) || '**'", 2)}


def spec(name: str, sql: str, grade: int | None = None, /, **columns: int | None) -> ModelSpec:
    """A view without listed columns, or a table that declares each of them."""
    return ModelSpec(name=name, sql=dedent(sql), grade=grade or 4, columns=columns, view=not columns)


def run(catalog: Catalog, *models: ModelSpec) -> GradeReport:
    return check(models, SOURCES, catalog.grading, on=ON, masks=MASKS)


def computed(catalog: Catalog, sql: str, *before: ModelSpec) -> dict[str, int]:
    """Output column to computed grade of a statement that must be traceable."""
    report = run(catalog, *before, spec("t.out", sql))
    assert not report.problems, report.problems
    table = report.table("t.out")
    assert table
    return {c.column: c.computed for c in table.columns}


R = "select r.* from feed.register as r"
GRADES: dict[str, tuple[str, dict[str, int], str]] = {
    "pass-through": (
        "select birth_date as born, sex_code from feed.register",
        {"born": 3, "sex_code": 2},
        "a column keeps its grade under another name",
    ),
    "literal": ("select 1 as n, 'x' as c, current_date as d", {"n": 1, "c": 1, "d": 1}, "nothing flows in"),
    "expression": (
        "select sex_code || '/' || cast(birth_date as varchar) as both, street_code || 'x' as s "
        "from feed.register cross join feed.orders",
        {"both": 3, "s": 1},
        "the highest of all columns in the expression",
    ),
    "unknown function": (
        "select scramble(birth_date, 1) as x from feed.register",
        {"x": 3},
        "a function that is not registered lowers nothing",
    ),
    "join": (
        "select o.street_code, r.birth_date, coalesce(o.hours, r.sex_code) as mixed from feed.orders as o "
        "inner join feed.register as r on o.order_id = r.person_key",
        {"street_code": 1, "birth_date": 3, "mixed": 2},
        "a join key is a predicate, not a value",
    ),
    "join using": (
        "select community_code from feed.register inner join feed.floating using (person_key, community_code)",
        {"community_code": 1},
        "USING is traced",
    ),
    "union": (
        "select sex_code as v from feed.register union all select birth_date from feed.floating union select 'a'",
        {"v": 3},
        "by position, the highest side",
    ),
    "case": (
        "select case when birth_date < date '1960-01-01' then 'old' else 'young' end as band, "
        "case sex_code when '1' then 'm' end as sex from feed.register",
        {"band": 3, "sex": 2},
        "a condition decides the value: it counts",
    ),
    "window": (
        "select lag(birth_date) over (partition by sex_code order by updated_at) as previous, "
        "row_number() over (partition by person_key order by updated_at) as place, "
        "rank() over (order by birth_date) as age_rank, "
        "max(hours) over (partition by person_key) as h from feed.register cross join feed.orders",
        {"previous": 3, "place": 1, "age_rank": 3, "h": 2},
        "a window's argument counts, and the order of a ranking; its partition is a predicate",
    ),
    "cte chain and star": (
        f"with a as ({R}), b as (select *, birth_date as again from a), c as (select * from b where sex_code = '1') "
        "select * from c",
        {"person_key": 3, "birth_date": 3, "sex_code": 2, "ethnic_code": 2, "education_code": 2}
        | {"community_code": 1, "note": 3, "updated_at": 1, "again": 3},
        "stars expand through every step",
    ),
    "subqueries": (
        "select (select max(birth_date) from feed.register) as m, "
        "exists (select 1 from feed.register as r where r.person_key = o.order_id) as e, "
        "o.order_id in (select person_key from feed.register) as i from feed.orders as o",
        {"m": 3, "e": 3, "i": 3},
        "what a subquery reads, and the rows it looks for",
    ),
    "values and unnest": (
        "select v.c, u.z from (values ('1'), ('2')) as v (c) cross join unnest([1, 2]) as u (z)",
        {"c": 1, "z": 1},
        "literals",
    ),
    "lateral": (
        "select l.v from feed.register as r cross join lateral (select r.birth_date as v) as l",
        {"v": 3},
        "through a lateral subquery",
    ),
    "presence": (
        "select birth_date is null as a, person_key is not null as b, order_id is null as c "
        "from feed.register cross join feed.orders",
        {"a": 2, "b": 2, "c": 1},
        "whether there is a value is not the value; membership of a register stays grade 2",
    ),
    "generalised dates": (
        "select date_trunc('month', called_at) as month, cast(date_trunc('year', birth_date) as date) as born_year, "
        "extract(year from birth_date) as y, date_trunc('month', birth_date) as born_month, "
        "extract(month from birth_date) as m from feed.orders cross join feed.register",
        {"month": 1, "born_year": 2, "y": 2, "born_month": 3, "m": 3},
        "to the year; a birth month still identifies",
    ),
    "mask": (
        "select left(note, 1) || '**' as masked, left(note, 2) || '**' as weaker from feed.register",
        {"masked": 2, "weaker": 3},
        "exactly the registered form, nothing like it",
    ),
    "statistics of things": (
        "select street_code, count(*) as n, avg(hours) as mean, sum(case when hours > 2 then 1 else 0 end) as late, "
        "max(hours) as longest from feed.orders group by street_code",
        {"street_code": 1, "n": 1, "mean": 1, "late": 1, "longest": 2},
        "count, sum and avg lower; a maximum is somebody's value",
    ),
    "statistics of single rows": (
        "select order_id, avg(hours) as mean, count(*) as n from feed.orders group by 1",
        {"order_id": 1, "mean": 2, "n": 1},
        "grouped by the key, an average is the value itself",
    ),
    "statistics by month are not of single rows": (
        "select date_trunc('month', called_at) as month, avg(hours) as mean from feed.orders group by 1",
        {"month": 1, "mean": 1},
        "a generalised key tells no rows apart",
    ),
    "statistics of persons": (
        "select sex_code, count(*) as n, count(distinct person_key) as p from feed.register group by sex_code",
        {"sex_code": 2, "n": 2, "p": 2},
        "counts of persons may hold small cells",
    ),
    "statistics of one person": (
        "select person_key, count(*) as n, avg(birth_date) as b from feed.register group by person_key",
        {"person_key": 3, "n": 3, "b": 3},
        "a group that is one person lowers nothing",
    ),
    "statistics over the many rows beside a key": (
        "select o.order_id, count(*) as n, avg(o.hours) as own, avg(r.sex_code) as of_many from feed.orders as o "
        "inner join feed.register as r on o.street_code = r.community_code group by o.order_id",
        {"order_id": 1, "n": 1, "own": 2, "of_many": 2},
        "the order's own hours are one value; the persons beside it are many, though few enough to stay grade 2",
    ),
    "a row chosen by its place": (
        "with r as (select *, row_number() over (partition by community_code order by person_key) as place "
        "from feed.register) select community_code, max(case when place = 1 then sex_code end) as first_sex, "
        "place + 1 as next from r group by community_code, place",
        {"community_code": 1, "first_sex": 2, "next": 3},
        "which row is taken is a predicate; the place itself is not",
    ),
    "filtered statistics": (
        "select count(*) filter (where hours > 2) as n from feed.orders",
        {"n": 1},
        "a filter belongs to its aggregate",
    ),
}


@pytest.mark.parametrize("name", GRADES)
def test_grades_flow(catalog: Catalog, name: str) -> None:
    sql, expected, reason = GRADES[name]
    assert computed(catalog, sql) == expected, reason


COUNTED = (
    "with people as (select sex_code, community_code, education_code from feed.register where birth_date is not null), "
    "counted as (select community_code, sex_code, count(*) as n, avg(education_code) as e from people group by 1, 2) "
)
SMALL_CELLS: dict[str, tuple[str, dict[str, int]]] = {
    "case": ("select case when n is null then 0 when n >= 5 then cast(n as integer) end as n from counted", {"n": 1}),
    "flag": ("select coalesce(n < 5, false) as is_suppressed from counted", {"is_suppressed": 1}),
    "too small a bound": ("select case when n >= 4 then n end as n from counted", {"n": 2}),
    "greater than": ("select case when n > 4 then n end as n, case when n > 3 then n end as m from counted", {"n": 1, "m": 2}),
    "an else that tells": ("select case when n >= 5 then 0 else n end as n from counted", {"n": 2}),
    "scaled count": ("select case when n * 100 >= 5 then n end as n from counted", {"n": 2}),
    "another table's count": (
        "select case when b.n >= 5 then a.n end as n from counted as a cross join counted as b",
        {"n": 2},
    ),
    "where": ("select n, e from counted where n >= 5 and sex_code = '1'", {"n": 1, "e": 1}),
    "or is no guard": ("select n from counted where n >= 5 or sex_code = '1'", {"n": 2}),
    "mean guarded by its count": ("select case when n >= 5 then e end as e from counted", {"e": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL_CELLS)
def test_counts_of_persons_need_small_cells_suppressed(catalog: Catalog, name: str) -> None:
    sql, expected = SMALL_CELLS[name]
    assert computed(catalog, COUNTED + sql) == expected


def test_having_suppresses_small_groups(catalog: Catalog) -> None:
    sql = "select ethnic_code, count(*) as n from feed.register group by 1 having "
    assert computed(catalog, sql + "count(*) >= 5")["n"] == 1
    assert computed(catalog, sql + "count(*) >= 2")["n"] == 2
    assert computed(catalog, sql + "count(distinct community_code) >= 5")["n"] == 2


STAGING = spec("staging.people", R, 3)


def test_a_silent_lowering_is_refused_with_its_path(catalog: Catalog) -> None:
    middle = spec("lib.people", "select sex_code, birth_date as born from staging.people", 3, sex_code=2, born=3)
    mart = spec("mart.people", "with p as (select * from lib.people) select upper(born) as b from p", 2, b=2)
    report = run(catalog, mart, middle, STAGING)  # whatever the order they come in
    (problem,) = report.problems
    assert (problem.kind, problem.table, problem.column) == ("silent", "mart.people", "b")
    path = (
        "mart.people.b (declared 2) ← lib.people.born ← staging.people.birth_date ← feed.register.birth_date (grade 3)"
    )
    assert problem.path == path
    assert path in problem.message
    with pytest.raises(GradeRefused) as e:
        report.raise_for_problems()
    assert e.value.where["path"] == path
    assert "declare grade 3" in e.value.hint


def test_a_lowering_upstream_does_not_hide_the_grade_downstream(catalog: Catalog) -> None:
    low = spec("lib.people", "select birth_date as born from staging.people", 2, born=2)
    report = run(catalog, STAGING, low, spec("mart.p", "select born from lib.people", 2, born=2))
    assert [(p.table, p.column) for p in report.problems] == [("lib.people", "born"), ("mart.p", "born")]


def test_a_column_may_be_declared_higher_and_stays_so(catalog: Catalog) -> None:
    high = spec("lib.orders", "select hours, street_code from feed.orders", 3, hours=3, street_code=1)
    report = run(catalog, high, spec("mart.o", "select hours from lib.orders", 2, hours=2))
    assert [(p.kind, p.table) for p in report.problems] == [("silent", "mart.o")]


def _reviewed(declared: int, lowered: dict[str, Any], sql: str = "select hours from feed.orders") -> ModelSpec:
    model = spec("mart.o", sql, 4, hours=declared)
    return ModelSpec.model_validate({**model.model_dump(), "lowered": {"hours": lowered}})


def test_a_reviewed_lowering_holds_and_is_shown(catalog: Catalog) -> None:
    model = _reviewed(1, {"from": 2, "by": "elapsed_time", "reason": "只给时长，不给时刻"})
    report = run(catalog, model, spec("mart.next", "select hours from mart.o", 1, hours=1))
    assert not report.problems
    table = report.table("mart.o")
    assert table
    assert (table.columns[0].grade, table.columns[0].computed, table.columns[0].lowered) == (1, 2, ("elapsed_time",))


@pytest.mark.parametrize(
    ("declared", "lowered", "sql", "says"),
    [
        (1, {"from": 2, "by": "because", "reason": "只给时长，不给时刻"}, None, "not registered"),
        (1, {"from": 2, "by": "presence", "reason": "只给时长，不给时刻"}, None, "not registered"),
        (1, {"from": 2, "by": "elapsed_time", "reason": "只给时长，不给时刻"}, "select note as hours from feed.register", "flows in now"),
        (1, {"from": 3, "by": "elapsed_time", "reason": "只给时长，不给时刻"}, "select note as hours from feed.register", "lowers 3 to 3"),
        (2, {"from": 2, "by": "elapsed_time", "reason": "只给时长，不给时刻"}, None, "nothing is lowered"),
    ],
)  # fmt: skip
def test_a_reviewed_lowering_must_be_registered_fit_and_be_needed(
    catalog: Catalog, declared: int, lowered: dict[str, Any], sql: str | None, says: str
) -> None:
    report = run(catalog, _reviewed(declared, lowered, *([sql] if sql else [])))
    assert [p.kind for p in report.problems] == ["review"]
    assert says in report.problems[0].message


def test_a_reviewed_lowering_states_its_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        _reviewed(1, {"from": 2, "by": "elapsed_time", "reason": ""})


def test_street_birth_date_and_sex_together_raise_a_table(catalog: Catalog) -> None:
    sql = "select o.street_code, r.birth_date, r.sex_code from feed.orders as o cross join feed.register as r"
    low = spec("mart.joined", sql, 3, street_code=1, birth_date=3, sex_code=2)
    assert not run(catalog, low).problems
    year = sql.replace("r.birth_date", "date_trunc('month', r.updated_at) as month, r.ethnic_code")
    report = run(catalog, spec("mart.joined", year, 2, street_code=1, month=1, ethnic_code=2, sex_code=2))
    (problem,) = report.problems
    assert problem.kind == "combination"
    assert "ethnic_code, place, sex_code" in problem.message
    assert "feed.register.sex_code" in problem.path
    assert "quasi_combination" in problem.message


def test_two_low_columns_or_none_about_persons_raise_nothing(catalog: Catalog) -> None:
    assert not run(
        catalog, spec("m.a", "select street_code, hours from feed.orders", 2, street_code=1, hours=2)
    ).problems
    assert not run(catalog, spec("m.b", "select sex_code, ethnic_code from feed.register", 2, sex_code=2, ethnic_code=2)).problems  # fmt: skip


def test_joined_registers_of_the_population_are_grade_4(catalog: Catalog) -> None:
    columns = ["person_key", "birth_date", "sex_code", "ethnic_code", "education_code", "community_code"]
    both = ", ".join(f"coalesce(a.{c}, b.{c}) as {c}" for c in columns)
    sql = f"select {both} from feed.register as a full outer join feed.floating as b on a.person_key = b.person_key"
    declared = dict(zip(columns, (3, 3, 2, 2, 2, 1), strict=True))
    report = run(catalog, spec("pop.residents", sql, 3, **declared))
    assert [p.kind for p in report.problems] == ["combination"]
    table = report.table("pop.residents")
    assert table
    assert (table.computed, table.raised_by) == (4, "joined_registers")
    assert not run(catalog, spec("pop.residents", sql, 4, **declared)).problems


def test_counts_of_many_columns_raise_nothing(catalog: Catalog) -> None:
    sql = (
        "select sex_code, ethnic_code, education_code, case when count(*) >= 5 then count(*) end as n "
        "from feed.register group by 1, 2, 3"
    )
    table = run(catalog, spec("m.c", sql, 3, sex_code=2, ethnic_code=2, education_code=2, n=1)).table("m.c")
    assert table
    assert table.raised_by == "quasi_combination"  # the dimensions still stand in a row: the count does not hide them


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (ModelSpec(name="m.x", sql="select order_id from feed.orders", grade=None, view=True), "m.x has no grade"),
        (spec("m.x", "select order_id, hours from feed.orders", 2, order_id=1), "m.x.hours has no grade"),
        (spec("m.x", "select order_id from feed.orders", 2, order_id=None), "m.x.order_id has no grade"),
    ],
)
def test_nothing_ungraded_builds(catalog: Catalog, model: ModelSpec, says: str) -> None:
    report = run(catalog, model)
    assert [p.kind for p in report.problems] == ["ungraded"]
    assert says in report.problems[0].message


def test_a_table_takes_the_highest_of_its_columns(catalog: Catalog) -> None:
    report = run(catalog, spec("m.x", "select order_id, hours from feed.orders", 1, order_id=1, hours=2))
    assert [p.kind for p in report.problems] == ["table"]
    bare = ModelSpec(name="m.y", sql="select order_id, hours from feed.orders", grade=1)
    assert [p.column for p in run(catalog, bare).problems if p.kind == "silent"] == ["hours"]


UNTRACEABLE = {
    "unknown table": ("select a from feed.nobody", "which has no grades"),
    "unknown column": ("select o.nothing from feed.orders as o", "cannot be resolved"),
    "not a select": ("drop table feed.orders", "not a SELECT"),
    "broken": ("select from where (", "not SQL"),
    "recursive": (
        "with recursive r as (select order_id as v from feed.orders union all select v from r) select v from r",
        "recursive",
    ),
    "uneven union": ("select order_id, hours from feed.orders union all select order_id from feed.orders", "UNION"),
    "table function": ("select column0 from read_csv('secrets.csv')", "table function"),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_cannot_be_traced_is_refused(catalog: Catalog, name: str) -> None:
    sql, says = UNTRACEABLE[name]
    report = run(catalog, spec("m.x", sql, 4))
    assert [p.kind for p in report.problems][:1] == ["untraceable"], name
    assert says in report.problems[0].message


def test_models_that_read_each_other_are_refused(catalog: Catalog) -> None:
    report = run(catalog, spec("m.a", "select x from m.b", 1), spec("m.b", "select x from m.a", 1))
    assert report.problems[0].kind == "untraceable"
    assert "read each other" in report.problems[0].message


def test_a_model_may_read_itself(catalog: Catalog) -> None:
    sql = "select o.order_id from feed.orders as o left join m.x as old on o.order_id = old.order_id"
    assert not run(catalog, spec("m.x", sql, 1, order_id=1)).problems


def test_tables_whose_columns_are_not_known_are_of_one_grade(catalog: Catalog) -> None:
    sources = {**SOURCES, "main.raw": source("main.raw", {"*": Flow(grade=2)})}

    def problems(sql: str) -> tuple[list[str], dict[str, int]]:
        report = check([spec("m.x", sql, 4)], sources, catalog.grading, on=ON)
        return [p.message for p in report.problems], {c.column: c.computed for c in report.tables[0].columns}

    assert problems("with a as (select n from main.raw) select n, i from a cross join range(3) as t (i)")[1] == {
        "n": 2,
        "i": 1,
    }
    assert problems("select r.n, o.hours, o.order_id from main.raw as r cross join feed.orders as o")[1] == {
        "n": 2,
        "hours": 2,
        "order_id": 1,
    }
    for sql in ("select * from main.raw", "select n, nothing from main.raw cross join range(3) as t (i)"):
        assert "cannot be traced" in problems(sql)[0][0]


def test_predicates_are_recorded_apart(catalog: Catalog) -> None:
    sql = "select o.order_id from feed.orders as o inner join feed.register as r on o.order_id = r.person_key where r.note = 'x'"  # fmt: skip
    table = run(catalog, spec("m.x", sql, 1, order_id=1)).table("m.x")
    assert table
    assert table.predicates == {"feed.orders.order_id": 1, "feed.register.person_key": 3, "feed.register.note": 3}
    assert table.columns[0].inputs == {"feed.orders.order_id": 1}
