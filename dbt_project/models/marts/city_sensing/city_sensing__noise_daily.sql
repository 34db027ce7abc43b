-- Equivalent sound levels by day (06 to 22) and night (the other hours of the same date), energy means of the valid
-- readings, against the limits of GB 3096 for the zone class the var noise_zone_class names. 12 of 16 hours of the day
-- and 6 of the 8 of the night are needed.
with hours as (
    select
        sensor_id,
        date,
        hour,
        hour between 6 and 21 as is_day,
        {{ energy_mean_db('measured_value') }} as leq_dba
    from {{ ref('city_sensing__readings') }}
    where sensor_kind_code = 'noise' and is_valid
    group by sensor_id, date, hour
),

days as (
    select
        sensor_id,
        date,
        case
            when sum(case when is_day then 1 else 0 end) >= 12
                then {{ energy_mean_db('case when is_day then leq_dba end') }}
        end as day_dba,
        case
            when sum(case when not is_day then 1 else 0 end) >= 6
                then {{ energy_mean_db('case when not is_day then leq_dba end') }}
        end as night_dba,
        max(leq_dba) as max_hour_dba,
        cast(count(*) as integer) as hours_count
    from hours
    group by sensor_id, date
)

select
    days.sensor_id,
    days.date,
    sensors.sensor_name,
    sensors.street_code,
    round(days.day_dba, 1) as day_dba,
    round(days.night_dba, 1) as night_dba,
    round(days.max_hour_dba, 1) as max_hour_dba,
    days.hours_count,
    limits.zone_class,
    limits.day_dba as day_limit_dba,
    limits.night_dba as night_limit_dba,
    round(days.day_dba, 1) > limits.day_dba as exceeds_day,
    round(days.night_dba, 1) > limits.night_dba as exceeds_night,
    sensors.longitude,
    sensors.latitude
from days
left join {{ ref('city_sensing__sensors') }} as sensors
    on days.sensor_id = sensors.sensor_id
left join {{ ref('noise_limits') }} as limits
    on
        limits.zone_class = '{{ var("noise_zone_class", "2") }}'
        and days.date between limits.valid_from and limits.valid_to
