-- The register of sensors, each with the street its point lies in and what it delivered last.
with points as (
    select
        *,
        {{ point_longitude('geom_cgcs2000') }} as longitude,
        {{ point_latitude('geom_cgcs2000') }} as latitude
    from {{ ref('staging__city_sensing__sensors') }}
),

streets as (
    select
        division_code,
        division_name,
        geom_cgcs2000
    from {{ ref('spatiotemporal__divisions') }}
    where level = 'street' and is_current and geom_cgcs2000 is not null
),

located as (
    select
        points.sensor_id,
        min(streets.division_code) as street_code
    from points
    inner join streets
        on {{ geometry_contains('streets.geom_cgcs2000', 'points.geom_cgcs2000') }}
    group by points.sensor_id
),

latest as (
    select
        sensor_id,
        max(observed_at) as last_observed_at
    from {{ ref('city_sensing__readings') }}
    group by sensor_id
)

select
    points.sensor_id,
    points.sensor_name,
    points.sensor_kind_code,
    kinds.name as sensor_kind_name,
    points.measured_unit,
    points.range_min,
    points.range_max,
    points.sampling_seconds,
    points.installed_date,
    points.calibrated_date,
    points.removed_date,
    coalesce(located.street_code, named.code) as street_code,
    points.street_name,
    points.longitude,
    points.latitude,
    latest.last_observed_at,
    points.geom_cgcs2000
from points
left join located
    on points.sensor_id = located.sensor_id
left join {{ ref('codes__streets') }} as named
    on points.street_name = named.name
left join {{ ref('codes__sensor_kind') }} as kinds
    on points.sensor_kind_code = kinds.code
left join latest
    on points.sensor_id = latest.sensor_id
