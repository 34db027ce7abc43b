-- The ten rules of each month, and of each department and month, that were broken by most rows.
with failing as (
    select
        results.*,
        feeds.department_code,
        feeds.department_name,
        feeds.title
    from {{ ref('quality__rule_results') }} as results
    inner join {{ ref('scoring__feeds') }} as feeds
        on results.feed_id = feeds.feed_id
    where
        results.failed_count > 0
        and results.scope <> 'hours'
),

ranked as (
    select
        *,
        cast(
            row_number() over (
                partition by month order by affected_rows desc, share_pct desc, feed_id asc, rule_code asc, party asc
            ) as integer
        ) as rank_in_month,
        cast(
            row_number() over (
                partition by department_code, month
                order by affected_rows desc, share_pct desc, feed_id asc, rule_code asc, party asc
            ) as integer
        ) as rank_in_department
    from failing
)

select
    feed_id,
    month,
    rule_code,
    party,
    title,
    department_code,
    department_name,
    rank_in_month,
    rank_in_department,
    dimension,
    severity,
    message,
    checks_count,
    failed_count,
    evaluated_count,
    unexpected_count,
    affected_rows,
    share_pct,
    is_excused
from ranked
where rank_in_month <= 10 or rank_in_department <= 10
