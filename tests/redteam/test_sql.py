"""Attempts to get a value of grade 3 out of ``lakehouse sql``. Each fails."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from tests.redteam.canaries import CALLER, PERSONS, VISITOR
from tests.redteam.conftest import Lake
from warehouse.grants import ClearRequest

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

WHO = PERSONS[0]
HOUSEHOLD = "feed.public_security__household"
FLOATING = "feed.public_security__floating_population"
ORDERS = "feed.hotline__work_orders"
RESIDENTS = "population.residents"
HOUSEHOLDS = "population.households"


def refused(answer: str) -> bool:
    return answer.startswith("refused")


# --- ask straight ------------------------------------------------------------------------------------------------


def test_read_the_whole_register(lake: Lake) -> None:
    assert "1947-01-01" in lake.ask(f"select * from {HOUSEHOLD}")


def test_read_what_linking_knows_of_persons(lake: Lake) -> None:
    assert lake.matches("platform.person_identities", "birth_date = date '1947-03-19'") == 0
    lake.ask("select * from platform.person_identities")
    lake.ask("select * from platform.person_links")


def test_read_the_register_of_visitors(lake: Lake) -> None:
    assert not refused(lake.ask(f"select * from {FLOATING}"))


def test_read_what_callers_said(lake: Lake) -> None:
    assert not refused(lake.ask(f"select order_text from {ORDERS}"))


def test_read_numbers_of_documents_in_penalties(lake: Lake) -> None:
    lake.ask("select * from feed.market_supervision__penalties")


def test_read_tax_numbers_that_are_resident_ids(lake: Lake) -> None:
    lake.ask("select * from feed.tax__arrears")


def test_read_birth_dates_in_the_library(lake: Lake) -> None:
    assert "1947-01-01" in lake.ask(f"select birth_date from {RESIDENTS}")


def test_read_household_numbers_in_the_library(lake: Lake) -> None:
    assert not refused(lake.ask(f"select household_key from {HOUSEHOLDS}"))


def test_read_raw_rows_of_quarantine(lake: Lake) -> None:
    assert not refused(lake.ask("select * from quarantine.public_security__household"))
    assert not refused(lake.ask("select * from quarantine.hotline__work_orders"))


def test_read_delivered_file_names_and_errors(lake: Lake) -> None:
    assert "full.csv" not in lake.ask("select * from platform.loads")


def test_read_messages_of_checks(lake: Lake) -> None:
    lake.ask("select * from platform.validations")


def test_read_the_vault(lake: Lake) -> None:
    for name in ("vault.public_security__household", "vault.persons", '"VAULT"."public_security__household"'):
        assert refused(lake.ask(f"select * from {name}"))


# --- go round the view -------------------------------------------------------------------------------------------


def test_travel_back_in_time(lake: Lake) -> None:
    assert refused(lake.ask(f"select * from {HOUSEHOLD} at (version => 0)"))


def test_travel_back_in_time_by_timestamp(lake: Lake) -> None:
    assert refused(lake.ask(f"select * from {HOUSEHOLD} at (timestamp => now())"))


def test_scan_the_table_by_its_path(lake: Lake) -> None:
    path = lake.settings.feed_path("public_security__household")
    assert refused(lake.ask(f"select * from delta_scan('{path}')"))


def test_read_the_parquet_files_of_a_table(lake: Lake) -> None:
    path = lake.settings.feed_path("public_security__household")
    assert refused(lake.ask(f"select * from read_parquet('{path}/*.parquet')"))


def test_read_statistics_in_parquet_footers(lake: Lake) -> None:
    path = lake.settings.feed_path("public_security__household")
    assert refused(lake.ask(f"select * from parquet_metadata('{path}/*.parquet')"))


def test_read_statistics_in_the_delta_log(lake: Lake) -> None:
    path = lake.settings.feed_path("public_security__household")
    assert refused(lake.ask(f"select * from read_json('{path}/_delta_log/*.json')"))


def test_read_the_file_as_it_arrived(lake: Lake) -> None:
    assert refused(lake.ask(f"select * from read_csv('{lake.settings.landing}/**/*.csv')"))


def test_read_bytes_of_a_file(lake: Lake) -> None:
    assert refused(lake.ask(f"select content from read_blob('{lake.settings.landing}/**')"))


def test_list_the_files_of_the_lake(lake: Lake) -> None:
    assert refused(lake.ask(f"select * from glob('{lake.settings.home}/**')"))


def test_name_a_file_as_a_table(lake: Lake) -> None:
    path = lake.settings.feed_path("public_security__household")
    assert refused(lake.ask(f"select * from '{path}/x.parquet'"))


def test_attach_the_database_of_airflow(lake: Lake) -> None:
    assert refused(lake.ask(f"attach '{lake.settings.airflow}/airflow.db' as stolen (type sqlite)"))


def test_attach_the_build_database(lake: Lake) -> None:
    assert refused(lake.ask(f"attach '{lake.settings.build}/lakehouse.duckdb' as stolen"))


def test_copy_a_table_into_a_file(lake: Lake) -> None:
    target = lake.settings.home / "stolen.csv"
    assert refused(lake.ask(f"copy {HOUSEHOLD} to '{target}'"))
    assert not target.exists()


def test_ask_a_pragma_for_storage(lake: Lake) -> None:
    assert refused(lake.ask("pragma storage_info('feed.public_security__household')"))


def test_read_the_text_of_the_views(lake: Lake) -> None:
    assert refused(lake.ask("select sql from duckdb_views()"))


def test_read_the_information_schema(lake: Lake) -> None:
    assert refused(lake.ask("select * from information_schema.columns"))


def test_read_hidden_columns_of_the_scan(lake: Lake) -> None:
    for column in ("filename", "file_row_number", "rowid", "delta_file_number"):
        assert refused(lake.ask(f"select {column} from {HOUSEHOLD}"))


def test_unlock_the_engine(lake: Lake) -> None:
    for sql in ("set lock_configuration = false", "reset allowed_directories", "set enable_external_access = true"):
        assert refused(lake.ask(sql))


def test_define_a_macro_that_reads(lake: Lake) -> None:
    assert refused(lake.ask(f"create macro m() as table select * from {HOUSEHOLD}"))


def test_define_a_function_in_another_language(lake: Lake) -> None:
    assert refused(lake.ask("create function f(x) as (select x)"))
    assert refused(lake.ask("select * from python_map_function(1)"))


def test_run_text_as_sql(lake: Lake) -> None:
    assert refused(lake.ask(f"select * from query('select * from {HOUSEHOLD}')"))
    assert refused(lake.ask(f"select * from query_table('{HOUSEHOLD}')"))


def test_read_the_environment(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_PASSPHRASE", WHO.name)
    assert refused(lake.ask("select getenv('LAKEHOUSE_PASSPHRASE')"))


def test_read_settings_of_the_engine(lake: Lake) -> None:
    assert refused(lake.ask("select current_setting('allowed_directories')"))
    assert refused(lake.ask("select * from duckdb_settings()"))


def test_prepare_and_execute_with_parameters(lake: Lake) -> None:
    assert refused(lake.ask(f"select * from {HOUSEHOLD} where person_name = $1"))
    assert refused(lake.ask(f"prepare p as select * from {HOUSEHOLD}"))


# --- disguise ----------------------------------------------------------------------------------------------------


def test_hide_a_second_statement_in_a_comment(lake: Lake) -> None:
    assert refused(lake.ask(f"select 1 /* ; */ ; select * from {HOUSEHOLD}"))
    assert refused(lake.ask(f"select 1 --\n; copy {HOUSEHOLD} to '/tmp/x'"))


def test_write_names_in_other_cases_and_quotes(lake: Lake) -> None:
    lake.ask('select "PERSON_NAME", "Birth_Date" from "FEED"."Public_Security__HOUSEHOLD"')
    lake.ask('select birth_date from "population"."residents"')


def test_write_names_in_full_width_letters(lake: Lake) -> None:
    lake.ask("select * from ｆｅｅｄ.public_security__household")
    lake.ask("select * from feed.public_security__household\u200b")


def test_shadow_a_table_by_a_with_name(lake: Lake) -> None:
    lake.ask(f"with residents as (select * from {HOUSEHOLD}) select * from residents")
    assert refused(lake.ask('with x as (select 1) select * from main."x.parquet"'))


def test_shadow_a_view_by_a_recursive_with(lake: Lake) -> None:
    sql = f"with recursive t as (select birth_date from {RESIDENTS} union select birth_date + 1 from t where false)"
    lake.ask(f"{sql} select * from t")


def test_name_another_catalogue(lake: Lake) -> None:
    assert refused(lake.ask("select * from memory.feed.public_security__household"))
    assert refused(lake.ask("select * from system.feed.public_security__household"))


# --- make the engine talk ----------------------------------------------------------------------------------------


def test_summarize_a_table(lake: Lake) -> None:
    assert "birth_date" in lake.ask(f"summarize {HOUSEHOLD}")


def test_describe_a_table(lake: Lake) -> None:
    assert "birth_date" in lake.ask(f"describe {HOUSEHOLD}")


def test_fail_a_cast_so_that_the_error_shows_the_value(lake: Lake) -> None:
    for sql in (
        f"select resident_id::int from {HOUSEHOLD}",
        f"select registered_address::date from {HOUSEHOLD}",
        f"select household_key::int from {RESIDENTS}",
        f"select order_text::json from {ORDERS}",
    ):
        lake.ask(sql)


def test_fail_a_date_format_so_that_the_error_shows_the_value(lake: Lake) -> None:
    lake.ask(f"select strptime(registered_address, '%Y') from {HOUSEHOLD}")


def test_raise_an_error_with_the_value(lake: Lake) -> None:
    assert refused(lake.ask(f"select error(registered_address) from {HOUSEHOLD}"))


def test_divide_by_zero_when_a_guess_is_right(lake: Lake) -> None:
    guess = f"case when birth_date = date '{WHO.birth}' then 'x' else '1' end"
    assert not refused(lake.ask(f"select ({guess})::int from {HOUSEHOLD}"))
    assert lake.matches(HOUSEHOLD, f"birth_date = date '{WHO.birth}'") == 0


def test_turn_rows_into_json(lake: Lake) -> None:
    lake.ask(f"select to_json(h) from {HOUSEHOLD} h")
    lake.ask(f"select json_group_array(h) from {HOUSEHOLD} h")


def test_take_a_row_as_a_struct(lake: Lake) -> None:
    lake.ask(f"select h from {HOUSEHOLD} h")
    lake.ask(f"select unnest(h) from {HOUSEHOLD} h")


def test_take_columns_by_a_pattern(lake: Lake) -> None:
    lake.ask(f"select columns('.*') from {HOUSEHOLD}")
    lake.ask(f"select * like '%address%' from {HOUSEHOLD}")


def test_gather_a_column_into_a_list(lake: Lake) -> None:
    lake.ask(f"select list(registered_address), string_agg(registered_address, ';') from {HOUSEHOLD}")


def test_take_extremes(lake: Lake) -> None:
    lake.ask(f"select min(registered_address), max(birth_date), mode(household_key) from {HOUSEHOLD}")


def test_take_the_value_beside_an_extreme(lake: Lake) -> None:
    lake.ask(f"select arg_max(registered_address, resident_key), first(birth_date) from {HOUSEHOLD}")


def test_count_values_in_a_histogram(lake: Lake) -> None:
    lake.ask(f"select histogram(birth_date), approx_top_k(registered_address, 5) from {HOUSEHOLD}")


def test_group_by_the_value(lake: Lake) -> None:
    lake.ask(f"select birth_date, registered_address, count(*) from {HOUSEHOLD} group by all")


def test_pivot_on_the_value(lake: Lake) -> None:
    lake.ask(
        f"select * from (pivot {HOUSEHOLD} on birth_date in (date '{WHO.birth}') using count(*) group by sex_code)"
    )


def test_walk_with_window_functions(lake: Lake) -> None:
    lake.ask(
        f"select lag(birth_date) over (order by resident_key), nth_value(registered_address, 2) over () from {HOUSEHOLD}"
    )


def test_draw_a_sample(lake: Lake) -> None:
    lake.ask(f"select * from {HOUSEHOLD} using sample 50%")


def test_flood_the_output(lake: Lake) -> None:
    lake.ask(f"select h.* from {HOUSEHOLD} h, range(50) limit 3000")


def test_unite_with_a_table_of_another_shape(lake: Lake) -> None:
    lake.ask(f"select * from {HOUSEHOLD} union all by name select * from {FLOATING}")


# --- guess -------------------------------------------------------------------------------------------------------


def test_search_an_address_by_regular_expression(lake: Lake) -> None:
    assert lake.matches(HOUSEHOLD, "regexp_matches(registered_address, '77号院9单元')") == 0
    assert lake.matches(HOUSEHOLD, "registered_address like '%1201%'") == 0


def test_search_a_name_letter_by_letter(lake: Lake) -> None:
    for size in range(3, len(WHO.name) + 1):
        assert lake.matches(HOUSEHOLD, f"person_name like '{WHO.name[:size]}%'") == 0


def test_search_a_birth_date_by_halves(lake: Lake) -> None:
    assert lake.matches(RESIDENTS, f"birth_date between date '{WHO.birth}' - 1 and date '{WHO.birth}' + 1") == 0
    assert lake.matches(RESIDENTS, "month(birth_date) > 1 or day(birth_date) > 1") == 0


def test_join_with_a_list_of_names(lake: Lake) -> None:
    names = ", ".join(f"('{c.name[:1]}' || '{c.name[1:]}')" for c in (*PERSONS, VISITOR, CALLER))
    for table, column in ((HOUSEHOLD, "person_name"), (FLOATING, "person_name"), (ORDERS, "caller_name")):
        answer = lake.ask(f"select count(*) from {table} join (values {names}) as v(n) on v.n = {column}")
        assert refused(answer) or answer.startswith("0")


def test_join_with_a_list_of_phones(lake: Lake) -> None:
    assert lake.matches(ORDERS, f"phone = '1398' || '{CALLER.phone[4:]}'") == 0


def test_compare_hashes_of_a_guess(lake: Lake) -> None:
    digest = hashlib.md5(WHO.address.encode()).hexdigest()
    assert lake.matches(HOUSEHOLD, f"md5(registered_address) = '{digest}'") == 0


def test_measure_the_distance_to_a_guess(lake: Lake) -> None:
    guess = f"'{WHO.address[:8]}' || '{WHO.address[8:]}'"
    assert lake.matches(HOUSEHOLD, f"levenshtein(registered_address, {guess}) < 5") == 0


def test_order_by_what_is_hidden(lake: Lake) -> None:
    """Persons born in one year stand in one place: the order tells nothing that the mask does not."""
    sql = f"select count(distinct p) from (select rank() over (order by birth_date) p from {RESIDENTS} where year(birth_date) = 1971)"
    assert lake.ask(sql).startswith("1")


def test_compare_the_pseudonym_with_a_keyless_hash(lake: Lake) -> None:
    for made in (hashlib.sha256, hashlib.md5, hashlib.sha1):
        digest = made(WHO.resident_id.encode()).hexdigest()
        for tried in {digest, digest[:32]}:
            assert lake.matches(RESIDENTS, f"resident_key = '{tried}'") == 0
    assert lake.matches(RESIDENTS, "length(resident_key) = 32") > 60


def test_find_a_household_by_its_number(lake: Lake) -> None:
    number = f"'{WHO.household[:5]}' || '{WHO.household[5:]}'"
    assert lake.matches(HOUSEHOLDS, f"household_key = {number}") == 0
    assert lake.matches(HOUSEHOLDS, f"household_key = substr(sha256({number}), 1, 32)") == 0
    assert lake.matches(HOUSEHOLDS, "length(household_key) = 32") > 0


def test_compare_tokens_of_two_statements(lake: Lake) -> None:
    sql = f"select head_key from {HOUSEHOLDS} order by household_key limit 1"
    assert lake.ask(sql) != lake.ask(sql)


def test_join_registers_to_undo_a_mask(lake: Lake) -> None:
    lake.ask(
        f"select * from {HOUSEHOLD} a join {RESIDENTS} b using (resident_key) join {HOUSEHOLDS} c on c.head_key = resident_key"
    )


def test_correlate_a_subquery(lake: Lake) -> None:
    lake.ask(
        f"select (select max(h.registered_address) from {HOUSEHOLD} h where h.resident_key = r.resident_key) from {RESIDENTS} r"
    )


def test_compare_under_another_collation(lake: Lake) -> None:
    assert (
        lake.matches(HOUSEHOLD, f"registered_address collate nocase = '{WHO.address[:4]}' || '{WHO.address[4:]}'") == 0
    )


# --- claim to be somebody ----------------------------------------------------------------------------------------


def test_ask_for_clear_values_without_enrolment(lake: Lake) -> None:
    request = ClearRequest("zhang_san", "a passphrase of nobody here", "核对户籍登记差错")
    assert refused(lake.ask(f"select * from {HOUSEHOLD}", clear=request, now=datetime.now(UTC)))


def test_ask_for_clear_values_as_sql_in_the_name(lake: Lake) -> None:
    request = ClearRequest("x' or '1'='1", "a passphrase of nobody here", "*")
    assert refused(lake.ask(f"select * from {HOUSEHOLD}", clear=request))


def test_ask_as_an_unknown_principal(lake: Lake) -> None:
    from warehouse.access import Principal

    assert refused(lake.ask(f"select * from {HOUSEHOLD}", principal=Principal(id="somebody")))
