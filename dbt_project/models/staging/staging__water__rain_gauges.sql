-- 雨量站分钟观测: one row a row of feed.water__rain_gauges.
select
    sensor_id,
    sensor_name,
    observed_at,
    sequence_number,
    rain_mm,
    battery_pct,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'water__rain_gauges') }}
