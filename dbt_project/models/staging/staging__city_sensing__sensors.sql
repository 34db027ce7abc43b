-- 城市感知设备台账: one row a row of feed.city_sensing__sensors.
select
    sensor_id,
    sensor_name,
    sensor_kind_code,
    measured_unit,
    range_min,
    range_max,
    sampling_seconds,
    installed_date,
    calibrated_date,
    removed_date,
    street_name,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'city_sensing__sensors') }}
