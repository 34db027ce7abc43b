-- How much of what a registered sensor should have sent on a day came, was valid, and how long it was silent at most.
-- Every day on which any sensor of its kind sent something counts, so that a day of silence is a day of 0.
with days as (
    select distinct
        sensor_kind_code,
        date
    from {{ ref('city_sensing__readings') }}
    where sensor_kind_code is not null
),

expected as (
    select
        sensors.sensor_id,
        sensors.sensor_kind_code,
        sensors.sensor_name,
        sensors.street_code,
        days.date,
        sensors.sampling_seconds,
        86400 / sensors.sampling_seconds as expected_count
    from {{ ref('city_sensing__sensors') }} as sensors
    inner join days
        on sensors.sensor_kind_code = days.sensor_kind_code
    where
        days.date >= sensors.installed_date
        and (sensors.removed_date is null or days.date < sensors.removed_date)
),

moments as (
    select distinct
        sensor_id,
        date,
        {{ epoch_seconds('observed_at') }} as at_seconds
    from {{ ref('city_sensing__readings') }}
    where is_valid
),

steps as (
    select
        sensor_id,
        date,
        at_seconds,
        coalesce(
            lag(at_seconds) over (partition by sensor_id, date order by at_seconds),
            {{ local_midnight_seconds('date') }}
        ) as earlier_seconds
    from moments
),

gaps as (
    select
        sensor_id,
        date,
        cast(count(*) as integer) as received_count,
        greatest(
            max(at_seconds - earlier_seconds), {{ local_midnight_seconds('date') }} + 86400 - max(at_seconds)
        ) as longest_gap_seconds
    from steps
    group by sensor_id, date
)

select
    expected.sensor_id,
    expected.date,
    expected.sensor_kind_code,
    expected.sensor_name,
    expected.street_code,
    cast(expected.expected_count as integer) as expected_count,
    coalesce(gaps.received_count, 0) as received_count,
    least(100.0, round(100.0 * coalesce(gaps.received_count, 0) / expected.expected_count, 2)) as availability_pct,
    round(coalesce(gaps.longest_gap_seconds, 86400) / 60.0, 1) as longest_gap_minutes
from expected
left join gaps
    on expected.sensor_id = gaps.sensor_id and expected.date = gaps.date
