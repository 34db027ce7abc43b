-- 城市感知网关日报文: one row a row of feed.city_sensing__gateway.
select
    sensor_id,
    observed_at,
    sequence_number,
    measured_value,
    battery_pct,
    _receipt,
    _loaded_at
from {{ source('feed', 'city_sensing__gateway') }}
