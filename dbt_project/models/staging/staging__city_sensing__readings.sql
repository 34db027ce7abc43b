-- 城市感知实时观测: one row a row of feed.city_sensing__readings.
select
    sensor_id,
    observed_at,
    sequence_number,
    measured_value,
    battery_pct,
    received_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'city_sensing__readings') }}
