-- Alarms with hysteresis: raised by a value at or above on_value, cleared by one below off_value; in between the state
-- stays as it was. One row an episode; cleared_at is empty while it lasts. Invalid readings neither raise nor clear.
with marked as (
    select
        readings.sensor_id,
        readings.observed_at,
        readings.sequence_number,
        readings.measured_value,
        readings.measured_unit,
        readings.sensor_kind_code,
        rules.alarm_code,
        rules.label,
        rules.level,
        case
            when readings.measured_value >= rules.on_value then 1
            when readings.measured_value < rules.off_value then 0
        end as mark
    from {{ ref('city_sensing__readings') }} as readings
    inner join {{ ref('sensing_alarm_rules') }} as rules
        on
            readings.sensor_kind_code = rules.sensor_kind_code
            and readings.date between rules.valid_from and rules.valid_to
    where readings.is_valid
),

decided as (
    select
        *,
        count(mark) over (
            partition by sensor_id, alarm_code order by observed_at, sequence_number
            rows between unbounded preceding and current row
        ) as decision
    from marked
),

states as (
    select
        *,
        coalesce(max(mark) over (partition by sensor_id, alarm_code, decision), 0) as state
    from decided
),

changes as (
    select
        *,
        lead(observed_at) over (partition by sensor_id, alarm_code order by observed_at, sequence_number) as next_at,
        case
            when
                state = 1
                and coalesce(
                    lag(state) over (partition by sensor_id, alarm_code order by observed_at, sequence_number), 0
                ) = 0
                then 1
            else 0
        end as is_start
    from states
),

episodes as (
    select
        *,
        sum(is_start) over (
            partition by sensor_id, alarm_code order by observed_at, sequence_number
            rows between unbounded preceding and current row
        ) as episode
    from changes
    where state = 1
),

peaks as (
    select
        *,
        max(measured_value) over (partition by sensor_id, alarm_code, episode) as peak_value
    from episodes
),

raised as (
    select
        sensor_id,
        alarm_code,
        min(observed_at) as raised_at,
        min(sensor_kind_code) as sensor_kind_code,
        min(label) as label,
        min(level) as level,
        min(measured_unit) as measured_unit,
        max(peak_value) as peak_value,
        min(case when measured_value = peak_value then observed_at end) as peak_at,
        case when count(*) = count(next_at) then max(next_at) end as cleared_at,
        cast(count(*) as integer) as readings_count
    from peaks
    group by sensor_id, alarm_code, episode
)

select
    raised.sensor_id,
    raised.alarm_code,
    raised.raised_at,
    raised.sensor_kind_code,
    raised.label,
    raised.level,
    sensors.sensor_name,
    sensors.street_code,
    raised.peak_value,
    raised.measured_unit,
    raised.peak_at,
    raised.cleared_at,
    round({{ hours_between('raised.raised_at', 'raised.cleared_at') }} * 60, 1) as duration_minutes,
    raised.cleared_at is null as is_open,
    raised.readings_count
from raised
left join {{ ref('city_sensing__sensors') }} as sensors
    on raised.sensor_id = sensors.sensor_id
