-- Deliveries that brought something new, in the month (Beijing) they were landed, and how late each was.
with faults as (
    select
        feed_id,
        receipt,
        max(case when party = 'source' then 1 else 0 end) as by_source
    from {{ ref('staging__platform__validations') }}
    where
        not is_passed
        and severity = 'stop'
    group by feed_id, receipt
),

delivered as (
    select
        loads.feed_id,
        loads.receipt,
        loads.file_name,
        loads.landed_at,
        loads.verdict,
        loads.rows_found,
        loads.rows_loaded,
        loads.rows_quarantined,
        feeds.department_code,
        feeds.max_age_hours,
        {{ month_start(local_date('loads.landed_at')) }} as month,
        {{ epoch_seconds('loads.landed_at') }} as landed_seconds,
        loads.verdict in ('passed', 'warned') as is_visible,
        loads.verdict in ('passed', 'warned')
        or coalesce(loads.refusal_code, 'LH2') not like 'LH2%'
        or coalesce(faults.by_source, 1) = 0 as is_arrived
    from {{ ref('staging__platform__loads') }} as loads
    inner join {{ ref('scoring__feeds') }} as feeds
        on loads.feed_id = feeds.feed_id
    left join faults
        on
            loads.feed_id = faults.feed_id
            and loads.receipt = faults.receipt
    where loads.verdict in ('passed', 'warned', 'stopped')
),

arrived as (
    select
        feed_id,
        receipt,
        lag(landed_seconds) over (partition by feed_id order by landed_seconds, receipt) as seconds_before,
        lead(landed_seconds) over (partition by feed_id order by landed_seconds, receipt) as seconds_next
    from delivered
    where is_arrived
)

select
    delivered.feed_id,
    delivered.receipt,
    delivered.month,
    delivered.department_code,
    delivered.file_name,
    delivered.landed_at,
    delivered.verdict,
    delivered.is_visible,
    delivered.is_arrived,
    delivered.rows_found,
    delivered.rows_loaded,
    delivered.rows_quarantined,
    delivered.max_age_hours,
    delivered.landed_seconds,
    case
        when delivered.is_arrived
            then
                least(delivered.landed_seconds + delivered.max_age_hours * 3600.0, coalesce(arrived.seconds_next, 1e12))
    end as fresh_until_seconds,
    greatest(
        0.0, (delivered.landed_seconds - arrived.seconds_before) / 3600.0 - delivered.max_age_hours
    ) as late_hours
from delivered
left join arrived
    on
        delivered.feed_id = arrived.feed_id
        and delivered.receipt = arrived.receipt
