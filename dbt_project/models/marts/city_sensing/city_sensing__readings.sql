-- Every reading of every sensor, whichever way it came, with whether its sensor is registered and its value within
-- that sensor's range. Readings of the rain gauges come from the water authority, the others from the gateway.
with readings as (
    select
        sensor_id,
        observed_at,
        sequence_number,
        rain_mm as measured_value,
        battery_pct,
        'water__rain_gauges' as source_feed
    from {{ ref('staging__water__rain_gauges') }}
    union all
    select
        sensor_id,
        observed_at,
        sequence_number,
        measured_value,
        battery_pct,
        'city_sensing__gateway' as source_feed
    from {{ ref('staging__city_sensing__gateway') }}
)

select
    readings.sensor_id,
    readings.observed_at,
    readings.sequence_number,
    sensors.sensor_kind_code,
    readings.measured_value,
    sensors.measured_unit,
    {{ local_date('readings.observed_at') }} as date,
    {{ local_hour('readings.observed_at') }} as hour,
    sensors.sensor_id is not null as is_registered,
    coalesce(readings.measured_value between sensors.range_min and sensors.range_max, false) as is_valid,
    readings.battery_pct,
    readings.source_feed
from readings
left join {{ ref('staging__city_sensing__sensors') }} as sensors
    on readings.sensor_id = sensors.sensor_id
