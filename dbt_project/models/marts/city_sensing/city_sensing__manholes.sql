-- The manholes as they stand: last reading, whether the cover is moved or gas is over its limit now, and how often.
with alarms as (
    select
        sensor_id,
        cast(count(*) as integer) as alarms_count,
        cast(sum(case when is_open then 1 else 0 end) as integer) as open_count,
        max(raised_at) as last_raised_at,
        min(case when is_open then level end) as open_level,
        max(peak_value) as peak_value
    from {{ ref('city_sensing__alarms') }}
    where sensor_kind_code in ('manhole_tilt', 'manhole_methane')
    group by sensor_id
),

latest as (
    select
        sensor_id,
        measured_value,
        observed_at,
        battery_pct,
        row_number() over (partition by sensor_id order by observed_at desc, sequence_number desc) as place
    from {{ ref('city_sensing__readings') }}
    where sensor_kind_code in ('manhole_tilt', 'manhole_methane')
),

present as (
    select
        sensor_id,
        round(avg(availability_pct), 2) as availability_pct
    from {{ ref('city_sensing__availability') }}
    group by sensor_id
)

select
    sensors.sensor_id,
    sensors.sensor_name,
    sensors.sensor_kind_code,
    sensors.street_code,
    latest.measured_value as last_value,
    sensors.measured_unit,
    latest.observed_at as last_observed_at,
    latest.battery_pct,
    coalesce(alarms.open_count, 0) > 0 as is_alarmed,
    alarms.open_level,
    coalesce(alarms.alarms_count, 0) as alarms_count,
    alarms.last_raised_at,
    alarms.peak_value,
    present.availability_pct,
    sensors.longitude,
    sensors.latitude
from {{ ref('city_sensing__sensors') }} as sensors
left join latest
    on sensors.sensor_id = latest.sensor_id and latest.place = 1
left join alarms
    on sensors.sensor_id = alarms.sensor_id
left join present
    on sensors.sensor_id = present.sensor_id
where sensors.sensor_kind_code in ('manhole_tilt', 'manhole_methane')
