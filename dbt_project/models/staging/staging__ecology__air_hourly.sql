-- 空气质量小时观测: one row a row of feed.ecology__air_hourly.
select
    station_name,
    observed_at,
    pm25_ugm3,
    pm10_ugm3,
    so2_ugm3,
    no2_ugm3,
    co_mgm3,
    o3_ugm3,
    temperature_c,
    pressure_hpa,
    dew_point_c,
    rain_mm,
    wind_direction,
    wind_speed_ms,
    _receipt,
    _loaded_at
from {{ source('feed', 'ecology__air_hourly') }}
