-- The three rates of each street and month, their composite, rank and heat.
with counted as (
    select
        street_code,
        month,
        {{ hotline_counts() }}
    from {{ ref('hotline__response_times') }}
    group by street_code, month
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
),

compared as (
    select
        scored.*,
        before.orders_count as orders_before
    from scored
    left join scored as before
        on
            scored.street_code = before.street_code
            and before.month = {{ previous_month('scored.month') }}
),

ranked as (
    select
        *,
        case
            when composite_score is not null
                then cast(
                    rank() over (
                        partition by month
                        order by case when composite_score is null then 1 else 0 end, composite_score desc
                    ) as integer
                )
        end as rank_in_month,
        cast(rank() over (partition by month order by orders_count desc) as integer) as heat_rank
    from compared
)

select
    ranked.street_code,
    streets.name as street_name,
    ranked.month,
    ranked.orders_count,
    ranked.excluded_count,
    ranked.assessed_count,
    ranked.contacted_in_time_count,
    ranked.resolution_answers_count,
    ranked.resolved_count,
    ranked.satisfaction_answers_count,
    ranked.satisfied_count,
    ranked.closed_in_time_count,
    ranked.response_rate_pct,
    ranked.resolution_rate_pct,
    ranked.satisfaction_rate_pct,
    ranked.composite_score,
    ranked.rank_in_month,
    ranked.mean_contact_hours,
    ranked.mean_handling_hours,
    {{ pct('(ranked.orders_count - ranked.orders_before)', 'ranked.orders_before') }} as orders_growth_pct,
    ranked.heat_rank,
    ranked.heat_rank <= {{ var('hotline_hot_streets', 3) }} as is_hot
from ranked
left join {{ ref('codes__streets') }} as streets
    on ranked.street_code = streets.code
