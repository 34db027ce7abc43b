-- Rain events of each gauge: they end when it stays dry for six hours. Depth, hardest five minutes and hour, and the
-- return period of the hardest hour by the intensity formula of storm_formulas (q = a(1 + c lg P)/(t + b)^n, t in
-- minutes, q in litres a second and hectare; 1 mm/h is 1/0.36 of that), floored at 0.1 years.
with moments as (
    select
        sensor_id,
        observed_at,
        cast({{ epoch_seconds('observed_at') }} as bigint) as at_seconds,
        max(measured_value) as rain_mm
    from {{ ref('city_sensing__readings') }}
    where sensor_kind_code = 'rain_gauge' and is_valid
    group by sensor_id, observed_at
),

sums as (
    select
        *,
        sum(rain_mm) over (
            partition by sensor_id order by at_seconds range between 3599 preceding and current row
        ) as hour_mm
    from moments
),

wet as (
    select
        *,
        at_seconds - lag(at_seconds) over (partition by sensor_id order by at_seconds) as dry_seconds
    from sums
    where rain_mm > 0
),

numbered as (
    select
        *,
        sum(case when dry_seconds is null or dry_seconds >= {{ var('rain_dry_hours', 6) }} * 3600 then 1 else 0 end)
            over (partition by sensor_id order by at_seconds rows between unbounded preceding and current row)
            as event
    from wet
),

hardest as (
    select
        *,
        max(rain_mm) over (partition by sensor_id, event) as max_reading_mm
    from numbered
),

events as (
    select
        sensor_id,
        min(observed_at) as started_at,
        max(observed_at) as ended_at,
        sum(rain_mm) as total_mm,
        max(max_reading_mm) as max_reading_mm,
        min(case when rain_mm = max_reading_mm then observed_at end) as peak_at,
        max(hour_mm) as max_hour_mm
    from hardest
    group by sensor_id, event
),

returned as (
    select
        events.*,
        power(
            10, (events.max_hour_mm / 0.36 * power(60 + formulas.b, formulas.n) / formulas.a - 1) / formulas.c
        ) as return_years
    from events
    inner join {{ ref('storm_formulas') }} as formulas
        on {{ local_date('events.started_at') }} between formulas.valid_from and formulas.valid_to
)

select
    returned.sensor_id,
    returned.started_at,
    returned.ended_at,
    {{ local_date('returned.started_at') }} as date,
    sensors.sensor_name,
    sensors.street_code,
    round(returned.total_mm, 1) as total_mm,
    round(returned.max_reading_mm, 1) as max_reading_mm,
    round(returned.max_hour_mm, 1) as max_hour_mm,
    returned.peak_at,
    round({{ hours_between('returned.started_at', 'returned.ended_at') }}, 2) as duration_hours,
    grades.label as rain_grade,
    case when returned.return_years > 0.1 then round(least(returned.return_years, 1000), 1) else 0.1 end
        as return_period_years,
    sensors.longitude,
    sensors.latitude
from returned
left join {{ ref('city_sensing__sensors') }} as sensors
    on returned.sensor_id = sensors.sensor_id
left join {{ ref('rain_grades') }} as grades
    on returned.total_mm >= grades.mm_from and returned.total_mm < grades.mm_to
