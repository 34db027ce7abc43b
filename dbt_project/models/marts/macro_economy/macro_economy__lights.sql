-- Early-warning lights (景气灯号): each indicator's growth on the year before, smoothed over three months, against the
-- four limits of macro_lights; and the mean score of the month. A month counts when half of the weights are there.
with growth as (
    select
        facts.area_code,
        facts.period,
        facts.period_start,
        facts.indicator_code,
        avg(facts.yoy_pct) over (
            partition by facts.indicator_code, facts.area_code order by facts.period_start
            rows between 2 preceding and current row
        ) as yoy_pct
    from {{ ref('macro_economy__growth') }} as facts
    where facts.frequency = 'month' and facts.yoy_pct is not null
),

scored as (
    select
        growth.*,
        rules.weight,
        case
            when growth.yoy_pct < rules.blue_below then 1
            when growth.yoy_pct < rules.light_blue_below then 2
            when growth.yoy_pct > rules.red_above then 5
            when growth.yoy_pct > rules.yellow_above then 4
            else 3
        end as score
    from growth
    inner join {{ ref('macro_lights') }} as rules
        on
            growth.indicator_code = rules.indicator_code
            and growth.period_start between rules.valid_from and rules.valid_to
),

together as (
    select
        area_code,
        period,
        min(period_start) as period_start,
        sum(weight * score) / sum(weight) as score,
        sum(weight) as weight
    from scored
    group by area_code, period
),

weights as (
    select sum(weight) as all_weights from {{ ref('macro_lights') }}
),

lights as (
    select
        indicator_code,
        area_code,
        period,
        period_start,
        round(yoy_pct, 2) as yoy_pct,
        cast(score as double) as score
    from scored
    union all
    select
        'composite' as indicator_code,
        together.area_code,
        together.period,
        together.period_start,
        null as yoy_pct,
        round(together.score, 3) as score
    from together
    cross join weights
    where together.weight >= weights.all_weights / 2
)

select
    lights.indicator_code,
    lights.area_code,
    lights.period,
    lights.period_start,
    coalesce(kinds.indicator_name, '综合景气') as indicator_name,
    lights.yoy_pct,
    lights.score,
    levels.light,
    levels.label,
    levels.colour_hex
from lights
left join {{ ref('macro_indicators') }} as kinds
    on lights.indicator_code = kinds.indicator_code
inner join {{ ref('macro_light_levels') }} as levels
    on lights.score >= levels.score_from and lights.score < levels.score_to
