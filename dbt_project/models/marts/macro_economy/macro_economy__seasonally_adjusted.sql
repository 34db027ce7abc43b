-- Monthly and quarterly series without their season, and the growth against the period before that then makes sense.
-- platform.seasonal is computed by warehouse/seasonal.py from macro_economy.growth; the join takes what is still there.
with units as (
    select
        indicator_code,
        area_code,
        min(unit) as unit
    from {{ ref('macro_economy__growth') }}
    group by indicator_code, area_code
),

adjusted as (
    select
        found.*,
        units.unit
    from {{ ref('staging__platform__seasonal') }} as found
    inner join units
        on found.indicator_code = units.indicator_code and found.area_code = units.area_code
),

previous as (
    select
        *,
        lag(adjusted_value) over (partition by indicator_code, area_code order by period_start) as adjusted_before,
        lag(trend_value) over (partition by indicator_code, area_code order by period_start) as trend_before,
        row_number() over (partition by indicator_code, area_code order by period_start desc) as place
    from adjusted
)

select
    indicator_code,
    area_code,
    period,
    frequency,
    period_start,
    value,
    unit,
    is_filled,
    round(adjusted_value, 4) as adjusted_value,
    round(trend_value, 4) as trend_value,
    round(seasonal_factor, 5) as seasonal_factor,
    round(irregular_factor, 5) as irregular_factor,
    {{ growth_pct('adjusted_value', 'adjusted_before') }} as previous_pct,
    {{ growth_pct('trend_value', 'trend_before') }} as trend_previous_pct,
    seasonal_strength,
    method,
    place <= 6 as is_provisional
from previous
