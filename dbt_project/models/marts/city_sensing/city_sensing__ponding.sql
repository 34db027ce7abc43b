-- Water standing at low-lying points, led back to the rain: each ponding alarm with the event of the nearest gauge that
-- began before it and had not ended more than three hours earlier, how long after the hardest rain the water was
-- deepest, and how long it took to drain.
with points as (
    select
        sensor_id,
        sensor_name,
        street_code,
        longitude,
        latitude
    from {{ ref('city_sensing__sensors') }}
    where sensor_kind_code = 'water_level'
),

gauges as (
    select
        points.sensor_id,
        gauges.sensor_id as gauge_id,
        {{ metres_apart('points.longitude', 'points.latitude', 'gauges.longitude', 'gauges.latitude') }} as distance_m
    from points
    cross join {{ ref('city_sensing__sensors') }} as gauges
    where gauges.sensor_kind_code = 'rain_gauge'
),

nearest as (
    select
        *,
        row_number() over (partition by sensor_id order by distance_m, gauge_id) as place
    from gauges
),

linked as (
    select
        alarms.sensor_id,
        alarms.raised_at,
        alarms.peak_value,
        alarms.peak_at,
        alarms.cleared_at,
        alarms.duration_minutes,
        nearest.gauge_id,
        nearest.distance_m,
        storms.started_at as storm_started_at,
        storms.total_mm,
        storms.max_hour_mm,
        storms.return_period_years,
        storms.peak_at as rain_peak_at,
        row_number() over (partition by alarms.sensor_id, alarms.raised_at order by storms.started_at desc) as place
    from {{ ref('city_sensing__alarms') }} as alarms
    inner join nearest
        on alarms.sensor_id = nearest.sensor_id and nearest.place = 1
    left join {{ ref('city_sensing__storm_events') }} as storms
        on
            nearest.gauge_id = storms.sensor_id
            and alarms.raised_at >= storms.started_at
            and {{ hours_between('storms.ended_at', 'alarms.raised_at') }} <= 3
    where alarms.alarm_code = 'ponding'
)

select
    linked.sensor_id,
    linked.raised_at,
    points.sensor_name,
    points.street_code,
    {{ local_date('linked.raised_at') }} as date,
    round(linked.peak_value, 1) as peak_mm,
    linked.peak_at,
    linked.cleared_at as drained_at,
    linked.duration_minutes,
    linked.gauge_id,
    round(linked.distance_m, 0) as gauge_distance_m,
    linked.storm_started_at,
    linked.total_mm as storm_total_mm,
    linked.max_hour_mm as storm_max_hour_mm,
    linked.return_period_years,
    round({{ hours_between('linked.rain_peak_at', 'linked.peak_at') }} * 60, 1) as lag_minutes,
    points.longitude,
    points.latitude
from linked
inner join points
    on linked.sensor_id = points.sensor_id
where linked.place = 1
