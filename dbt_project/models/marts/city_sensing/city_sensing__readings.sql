-- Every reading of every sensor, whichever way it came, with whether its sensor is registered and its value counts.
-- Readings of the rain gauges come from the water authority, the others from the gateway's daily file or live. A live
-- reading of a moment that a file has is left to the file, the settled one; of live ones of one moment the last
-- numbered stays. Value counts: within the sensor's range and, seen live, neither a flat line nor a spike.
with filed as (
    select
        sensor_id,
        observed_at,
        sequence_number,
        rain_mm as measured_value,
        battery_pct,
        false as is_flat_line,
        false as is_spike,
        'water__rain_gauges' as source_feed
    from {{ ref('staging__water__rain_gauges') }}
    union all
    select
        sensor_id,
        observed_at,
        sequence_number,
        measured_value,
        battery_pct,
        false as is_flat_line,
        false as is_spike,
        'city_sensing__gateway' as source_feed
    from {{ ref('staging__city_sensing__gateway') }}
),

live as (
    select
        sensor_id,
        observed_at,
        sequence_number,
        measured_value,
        battery_pct,
        is_flat_line,
        is_spike,
        'city_sensing__readings' as source_feed,
        row_number() over (partition by sensor_id, observed_at order by sequence_number desc) as place
    from {{ ref('spatiotemporal__sensor_readings') }}
),

readings as (
    select
        sensor_id,
        observed_at,
        sequence_number,
        measured_value,
        battery_pct,
        is_flat_line,
        is_spike,
        source_feed
    from filed
    union all
    select
        live.sensor_id,
        live.observed_at,
        live.sequence_number,
        live.measured_value,
        live.battery_pct,
        live.is_flat_line,
        live.is_spike,
        live.source_feed
    from live
    where
        live.place = 1
        and not exists (
            select 1
            from filed
            where filed.sensor_id = live.sensor_id and filed.observed_at = live.observed_at
        )
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
    coalesce(readings.measured_value between sensors.range_min and sensors.range_max, false)
    and not readings.is_flat_line
    and not readings.is_spike as is_valid,
    readings.battery_pct,
    readings.source_feed
from readings
left join {{ ref('staging__city_sensing__sensors') }} as sensors
    on readings.sensor_id = sensors.sensor_id
