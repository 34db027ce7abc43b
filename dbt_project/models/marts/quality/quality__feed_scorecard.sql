-- One line a feed and month: six dimensions, their total, and the change against the month before.
with scored as (
    select
        feed_id,
        month,
        department_code,
        {{ quality_columns() }}
    from {{ ref('quality__feed_scores') }}
    group by feed_id, month, department_code
)

select
    scored.feed_id,
    scored.month,
    feeds.title,
    scored.department_code,
    months.deliveries_count,
    months.stopped_count,
    months.late_count,
    months.rows_found,
    months.rows_quarantined,
    {{ quality_columns('scored') }},
    scored.total_score,
    before.total_score as previous_score,
    round(scored.total_score - before.total_score, 2) as change
from scored
inner join {{ ref('scoring__feeds') }} as feeds
    on scored.feed_id = feeds.feed_id
inner join {{ ref('quality__feed_months') }} as months
    on
        scored.feed_id = months.feed_id
        and scored.month = months.month
left join scored as before
    on
        scored.feed_id = before.feed_id
        and before.month = {{ previous_month('scored.month') }}
