-- Every feed and month from its first delivery on: what came, and for how many hours it was as fresh as agreed.
with ten as (
    select 0 as n
    {% for n in range(1, 10) -%}
        union all
        select {{ n }} as n
    {% endfor %}
),

numbers as (
    select hundreds.n * 100 + tens.n * 10 + ones.n as n
    from ten as hundreds
    cross join ten as tens
    cross join ten as ones
),

known as (
    select
        feed_id,
        department_code,
        min(month) as first_month,
        min(landed_seconds) as first_seconds
    from {{ ref('quality__deliveries') }}
    group by feed_id, department_code
),

months as (
    select
        known.feed_id,
        known.department_code,
        known.first_seconds,
        {{ add_months('known.first_month', 'numbers.n') }} as month
    from known
    cross join numbers
),

windows as (
    select
        feed_id,
        department_code,
        month,
        greatest(first_seconds, {{ local_midnight_seconds('month') }}) as from_seconds,
        least({{ quality_now_seconds() }}, {{ local_midnight_seconds(add_months('month', 1)) }}) as to_seconds
    from months
    where {{ local_midnight_seconds('month') }} <= {{ quality_now_seconds() }}
),

fresh as (
    select
        windows.feed_id,
        windows.month,
        sum(
            greatest(
                0.0,
                least(windows.to_seconds, deliveries.fresh_until_seconds)
                - greatest(windows.from_seconds, deliveries.landed_seconds)
            )
        ) / 3600.0 as fresh_hours
    from windows
    inner join {{ ref('quality__deliveries') }} as deliveries
        on windows.feed_id = deliveries.feed_id
    where deliveries.is_arrived
    group by windows.feed_id, windows.month
),

counted as (
    select
        feed_id,
        month,
        count(*) as deliveries_count,
        sum(case when verdict = 'stopped' then 1 else 0 end) as stopped_count,
        sum(case when late_hours > 0 then 1 else 0 end) as late_count,
        sum(rows_found) as rows_found,
        sum(rows_quarantined) as rows_quarantined
    from {{ ref('quality__deliveries') }}
    group by feed_id, month
)

select
    windows.feed_id,
    windows.month,
    windows.department_code,
    cast(coalesce(counted.deliveries_count, 0) as bigint) as deliveries_count,
    cast(coalesce(counted.stopped_count, 0) as bigint) as stopped_count,
    cast(coalesce(counted.late_count, 0) as bigint) as late_count,
    cast(coalesce(counted.rows_found, 0) as bigint) as rows_found,
    cast(coalesce(counted.rows_quarantined, 0) as bigint) as rows_quarantined,
    cast(greatest(0.0, windows.to_seconds - windows.from_seconds) / 3600.0 as double) as covered_hours,
    cast(coalesce(fresh.fresh_hours, 0.0) as double) as fresh_hours
from windows
left join fresh
    on
        windows.feed_id = fresh.feed_id
        and windows.month = fresh.month
left join counted
    on
        windows.feed_id = counted.feed_id
        and windows.month = counted.month
