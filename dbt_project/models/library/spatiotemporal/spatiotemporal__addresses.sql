-- The standard addresses: codes of street and community by name, position in CGCS2000, and whether the point lies
-- inside the district and inside the street it names.
with points as (
    select
        facts.address_code,
        facts.standard_address,
        facts.street_name,
        facts.community_name,
        facts.lane_name,
        facts.house_number,
        facts.geom_cgcs2000,
        facts.collected_date,
        streets.code as street_code,
        communities.code as community_code
    from {{ ref('staging__planning__address_points') }} as facts
    left join {{ ref('codes__streets') }} as streets
        on {{ division_key('facts.street_name') }} = {{ division_key('streets.name') }}
    left join {{ ref('codes__communities') }} as communities
        on
            streets.code = communities.parent
            and {{ division_key('facts.community_name') }} = {{ division_key('communities.name') }}
),

shapes as (
    select
        division_code,
        geom_cgcs2000
    from {{ ref('spatiotemporal__divisions') }}
    where level = 'street' and geom_cgcs2000 is not null
),

located as (
    select
        points.address_code,
        min(shapes.division_code) as located_street_code
    from points
    inner join shapes
        on {{ geometry_contains('shapes.geom_cgcs2000', 'points.geom_cgcs2000') }}
    group by points.address_code
),

known as (
    select count(*) as shapes_count from shapes
)

select
    points.address_code,
    points.standard_address,
    points.street_code,
    points.community_code,
    points.lane_name,
    points.house_number,
    {{ point_longitude('points.geom_cgcs2000') }} as longitude_cgcs2000,
    {{ point_latitude('points.geom_cgcs2000') }} as latitude_cgcs2000,
    located.located_street_code,
    case
        when points.geom_cgcs2000 is not null and known.shapes_count > 0 then located.address_code is not null
    end as is_inside_district,
    case
        when located.address_code is not null and points.street_code is not null
            then located.located_street_code = points.street_code
    end as is_inside_street,
    points.collected_date,
    points.geom_cgcs2000
from points
cross join known
left join located
    on points.address_code = located.address_code
