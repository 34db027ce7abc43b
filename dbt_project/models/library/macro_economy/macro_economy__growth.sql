-- What follows from the current values: the discrete value of a cumulative series, growth against the year before
-- (同比) and the period before (环比), the share of its whole, and the same in constant prices. Values whose unit is
-- not the indicator's take no part. A discrete value stands for all periods since the last one there is: February of a
-- series without January for two months.
with observed as (
    select
        facts.indicator_code,
        facts.area_code,
        facts.period,
        facts.frequency,
        facts.period_start,
        cast(facts.value as double) as value,
        facts.unit,
        kinds.is_cumulative,
        kinds.measure,
        kinds.whole_code,
        kinds.deflator_code
    from {{ ref('macro_economy__series') }} as facts
    inner join {{ ref('macro_economy__indicators') }} as kinds
        on facts.indicator_code = kinds.indicator_code
    where facts.is_current and facts.unit = kinds.unit
),

steps as (
    select
        observed.*,
        lag(observed.value) over (
            partition by
                observed.indicator_code,
                observed.area_code,
                observed.frequency,
                extract(year from observed.period_start)
            order by observed.period_start
        ) as value_before,
        coalesce(
            lag(extract(month from observed.period_start)) over (
                partition by
                    observed.indicator_code,
                    observed.area_code,
                    observed.frequency,
                    extract(year from observed.period_start)
                order by observed.period_start
            ),
            1 - {{ period_months('observed.frequency') }}
        ) as month_before
    from observed
),

discrete as (
    select
        steps.*,
        case when steps.is_cumulative then steps.value - coalesce(steps.value_before, 0) else steps.value end
            as discrete_value,
        case
            when steps.is_cumulative
                then
                    (extract(month from steps.period_start) - steps.month_before)
                    / {{ period_months('steps.frequency') }}
            else 1
        end as discrete_periods
    from steps
),

prices as (
    select
        indicator_code as deflator_code,
        cast(extract(year from period_start) as {{ text_type() }}) as period,
        avg(value) / 100 as factor
    from observed
    where indicator_code in ('cpi_national_yoy100', 'ppi_yoy100')
    group by indicator_code, extract(year from period_start)
    having count(*) = 12
),

price_levels as (
    select
        deflator_code,
        period,
        factor,
        exp(sum(ln(factor)) over (partition by deflator_code order by period)) as level,
        exp(sum(ln(factor)) over (partition by deflator_code)) as last_level
    from prices
),

published as (
    select
        indicator_code,
        area_code,
        period,
        max(published_yoy_pct) as published_yoy_pct
    from {{ ref('macro_economy__reports') }}
    group by indicator_code, area_code, period
)

select
    discrete.indicator_code,
    discrete.area_code,
    discrete.period,
    discrete.frequency,
    discrete.period_start,
    discrete.value,
    discrete.unit,
    round(discrete.discrete_value, 6) as discrete_value,
    cast(case when discrete.discrete_value is not null then discrete.discrete_periods end as integer)
        as discrete_periods,
    case
        when discrete.measure in ('growth', 'index') then round(discrete.value - last_year.value, 2)
        else {{ growth_pct('discrete.value', 'last_year.value') }}
    end as yoy_pct,
    case
        when discrete.discrete_periods = last_year.discrete_periods
            then {{ growth_pct('discrete.discrete_value', 'last_year.discrete_value') }}
    end as discrete_yoy_pct,
    case
        when discrete.measure in ('growth', 'index') then round(discrete.value - previous.value, 2)
        when discrete.discrete_periods = previous.discrete_periods
            then {{ growth_pct('discrete.discrete_value', 'previous.discrete_value') }}
    end as previous_pct,
    published.published_yoy_pct,
    {{ pct('discrete.value', 'wholes.value') }} as share_pct,
    round(discrete.value / price_levels.level * price_levels.last_level, 2) as constant_price_value,
    case
        when last_year.value > 0
            then round(100.0 * (discrete.value / last_year.value / price_levels.factor - 1), 2)
    end as real_yoy_pct
from discrete
left join discrete as last_year
    on
        discrete.indicator_code = last_year.indicator_code
        and discrete.area_code = last_year.area_code
        and last_year.period = {{ year_before('discrete.period') }}
left join discrete as previous
    on
        discrete.indicator_code = previous.indicator_code
        and discrete.area_code = previous.area_code
        and discrete.frequency = previous.frequency
        and previous.period_start
        = {{ add_months('discrete.period_start', '-' ~ period_months('discrete.frequency')) }}
left join observed as wholes
    on
        discrete.whole_code = wholes.indicator_code
        and discrete.area_code = wholes.area_code
        and discrete.period = wholes.period
left join price_levels
    on discrete.deflator_code = price_levels.deflator_code and discrete.period = price_levels.period
left join published
    on
        discrete.indicator_code = published.indicator_code
        and discrete.area_code = published.area_code
        and discrete.period = published.period
