-- One line a department and month: the mean of its feeds in each dimension, their total, rank and change.
with averaged as (
    select
        department_code,
        month,
        dimension,
        max(weight) as weight,
        round(avg(score), 2) as score
    from {{ ref('quality__feed_scores') }}
    group by department_code, month, dimension
),

scored as (
    select
        department_code,
        month,
        {{ quality_columns() }}
    from averaged
    group by department_code, month
),

ranked as (
    select
        *,
        case
            when total_score is not null
                then cast(
                    rank() over (
                        partition by month order by case when total_score is null then 1 else 0 end, total_score desc
                    ) as integer
                )
        end as rank_in_month
    from scored
),

counted as (
    select
        department_code,
        month,
        count(*) as feeds_count,
        sum(deliveries_count) as deliveries_count,
        sum(stopped_count) as stopped_count,
        sum(late_count) as late_count,
        sum(rows_found) as rows_found,
        sum(rows_quarantined) as rows_quarantined
    from {{ ref('quality__feed_months') }}
    group by department_code, month
),

departments as (
    select
        department_code,
        max(department_name) as department_name
    from {{ ref('scoring__feeds') }}
    group by department_code
)

select
    ranked.department_code,
    ranked.month,
    departments.department_name,
    ranked.rank_in_month,
    cast(counted.feeds_count as bigint) as feeds_count,
    cast(counted.deliveries_count as bigint) as deliveries_count,
    cast(counted.stopped_count as bigint) as stopped_count,
    cast(counted.late_count as bigint) as late_count,
    cast(counted.rows_found as bigint) as rows_found,
    cast(counted.rows_quarantined as bigint) as rows_quarantined,
    {{ quality_columns('ranked') }},
    ranked.total_score,
    before.total_score as previous_score,
    round(ranked.total_score - before.total_score, 2) as change
from ranked
inner join departments
    on ranked.department_code = departments.department_code
inner join counted
    on
        ranked.department_code = counted.department_code
        and ranked.month = counted.month
left join scored as before
    on
        ranked.department_code = before.department_code
        and before.month = {{ previous_month('ranked.month') }}
