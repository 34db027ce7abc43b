-- The three rates of each handling department and month, their composite and rank.
with counted as (
    select
        coalesce(handler_name, '未派单') as handler_name,
        month,
        {{ hotline_counts() }}
    from {{ ref('hotline__response_times') }}
    group by coalesce(handler_name, '未派单'), month
),

rated as (
    select
        counted.*,
        {{ hotline_rates() }}
    from counted
),

scored as (
    select
        rated.*,
        {{ hotline_composite() }} as composite_score
    from rated
)

select
    handler_name,
    month,
    orders_count,
    excluded_count,
    assessed_count,
    response_rate_pct,
    resolution_rate_pct,
    satisfaction_rate_pct,
    composite_score,
    case
        when composite_score is not null
            then cast(
                rank() over (
                    partition by month
                    order by case when composite_score is null then 1 else 0 end, composite_score desc
                ) as integer
            )
    end as rank_in_month,
    mean_contact_hours,
    mean_handling_hours
from scored
