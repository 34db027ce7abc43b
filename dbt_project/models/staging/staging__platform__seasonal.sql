-- One row an indicator, area and period, as platform.seasonal keeps it.
select
    indicator_code,
    area_code,
    period,
    frequency,
    period_start,
    value,
    is_filled,
    adjusted_value,
    trend_value,
    seasonal_factor,
    irregular_factor,
    seasonal_strength,
    method
from {{ source('platform', 'seasonal') }}
