-- Deliveries that brought something new, in the month (Beijing) they were landed, and how late each was.
with delivered as (
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
        loads.verdict in ('passed', 'warned') as is_visible
    from {{ ref('staging__platform__loads') }} as loads
    inner join {{ ref('scoring__feeds') }} as feeds
        on loads.feed_id = feeds.feed_id
    where loads.verdict in ('passed', 'warned', 'stopped')
),

visible as (
    select
        feed_id,
        receipt,
        lag(landed_seconds) over (partition by feed_id order by landed_seconds, receipt) as seconds_before,
        lead(landed_seconds) over (partition by feed_id order by landed_seconds, receipt) as seconds_next
    from delivered
    where is_visible
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
    delivered.rows_found,
    delivered.rows_loaded,
    delivered.rows_quarantined,
    delivered.max_age_hours,
    delivered.landed_seconds,
    case
        when delivered.is_visible
            then least(delivered.landed_seconds + delivered.max_age_hours * 3600.0, coalesce(visible.seconds_next, 1e12))
    end as fresh_until_seconds,
    greatest(
        0.0, (delivered.landed_seconds - visible.seconds_before) / 3600.0 - delivered.max_age_hours
    ) as late_hours
from delivered
left join visible
    on
        delivered.feed_id = visible.feed_id
        and delivered.receipt = visible.receipt
