-- Every live reading of the city's sensors with what its instrument's register says of it, and three flags.
-- out of range: beyond the instrument's range. flat line: the last twelve readings, over ten minutes or more, are one
-- value that is not the bottom of the range. spike: away from both neighbours by over a quarter of the range, and
-- back. A reading that arrives late changes the flags of its neighbours: those of its sensor from three hours (twelve
-- readings at the slowest) before it on are made again, with six more hours looked at.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['sensor_id', 'observed_at', 'sequence_number']
) }}
with readings as (
    select * from {{ ref('staging__city_sensing__readings') }}
),

{% if is_incremental() %}
    arrived as (
        select
            sensor_id,
            min({{ epoch_seconds('observed_at') }}) as first_seconds
        from readings
        where readings._loaded_at > (select max(made._loaded_at) from {{ this }} as made)
        group by sensor_id
    ),

    looked_at as (
        select
            readings.*,
            arrived.first_seconds - 10800 as made_from_seconds
        from readings
        inner join arrived
            on
                readings.sensor_id = arrived.sensor_id
                and {{ epoch_seconds('readings.observed_at') }} >= arrived.first_seconds - 32400
    ),
{% else %}
    looked_at as (
        select
            readings.*,
            0 as made_from_seconds
        from readings
    ),
{% endif %}

registered as (
    select
        looked_at.sensor_id,
        sensors.sensor_kind_code,
        sensors.measured_unit,
        sensors.range_min,
        sensors.range_max,
        sensors.calibrated_date,
        looked_at.observed_at,
        looked_at.sequence_number,
        looked_at.measured_value,
        looked_at.battery_pct,
        looked_at.received_at,
        looked_at._loaded_at,
        looked_at.made_from_seconds
    from looked_at
    left join {{ ref('staging__city_sensing__sensors') }} as sensors
        on looked_at.sensor_id = sensors.sensor_id
),

neighbours as (
    select
        *,
        lag(measured_value) over sensor as value_before,
        lead(measured_value) over sensor as value_after,
        min(measured_value) over last_twelve as least,
        max(measured_value) over last_twelve as most,
        count(*) over last_twelve as readings_count,
        min({{ epoch_seconds('observed_at') }}) over last_twelve as first_seconds
    from registered
    window
        sensor as (partition by sensor_id order by observed_at, sequence_number),
        last_twelve as (
            partition by sensor_id
            order by observed_at, sequence_number
            rows between 11 preceding and current row
        )
),

flagged as (
    select
        *,
        coalesce(measured_value < range_min or measured_value > range_max, false) as is_out_of_range,
        coalesce(
            readings_count = 12
            and least = most
            and measured_value <> range_min
            and {{ epoch_seconds('observed_at') }} - first_seconds >= 600,
            false
        ) as is_flat_line,
        coalesce(
            abs(measured_value - value_before) > (range_max - range_min) * 0.25
            and abs(measured_value - value_after) > (range_max - range_min) * 0.25
            and (measured_value - value_before) * (measured_value - value_after) > 0,
            false
        ) as is_spike
    from neighbours
)

select
    flagged.sensor_id,
    flagged.sensor_kind_code,
    flagged.observed_at,
    flagged.sequence_number,
    flagged.measured_value,
    flagged.measured_unit,
    flagged.battery_pct,
    flagged.calibrated_date,
    flagged.sensor_kind_code is not null as is_registered,
    flagged.is_out_of_range,
    flagged.is_flat_line,
    flagged.is_spike,
    (not flagged.is_out_of_range) and (not flagged.is_flat_line) and (not flagged.is_spike) as is_usable,
    flagged.received_at,
    flagged._loaded_at
from flagged
where {{ epoch_seconds('flagged.observed_at') }} >= flagged.made_from_seconds
