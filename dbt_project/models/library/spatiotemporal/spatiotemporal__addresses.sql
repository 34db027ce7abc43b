-- The standard addresses: doors of the planning office's survey and residential compounds, with codes of street and
-- community by name, position in CGCS2000, and whether the point lies inside the district and the street it names.
-- Where the source names no community, the polygon tells it that the point lies in, if planning has delivered it.
-- A compound's source puts a neighbourhood in brackets before the address; it names no street, the point tells it.
{{ config(stands='content', answered_by='address_parts') }}
with compounds as (
    select
        compound_name,
        geom_cgcs2000,
        'RC' || substring(md5({{ concat_text(['compound_name', "'|'", 'compound_address']) }}), 1, 14) as address_code,
        {{ regexp_replace_all('compound_address', '^[［\\[][^］\\]]*[］\\]]', '') }} as plain_address,
        {{ address_parse(regexp_replace_all('compound_address', '^[［\\[][^］\\]]*[］\\]]', '')) }} as elements
    from {{ ref('staging__planning__residential_compounds') }}
),

given as (
    select
        address_code,
        'address_points' as source,
        standard_address,
        street_name,
        community_name,
        lane_name,
        house_number,
        cast(null as {{ text_type() }}) as compound_name,
        geom_cgcs2000,
        collected_date
    from {{ ref('staging__planning__address_points') }}
    union all
    select
        address_code,
        'residential_compounds' as source,
        '北京市西城区' || plain_address
        || case when plain_address like '%' || compound_name || '%' then '' else compound_name end as standard_address,
        cast(null as {{ text_type() }}) as street_name,
        cast(null as {{ text_type() }}) as community_name,
        coalesce({{ json_text('elements', 'lane_name') }}, plain_address) as lane_name,
        {{ json_text('elements', 'local') }} as house_number,
        compound_name,
        geom_cgcs2000,
        cast(null as date) as collected_date
    from compounds
),

points as (
    select
        facts.address_code,
        facts.source,
        facts.standard_address,
        facts.lane_name,
        facts.house_number,
        facts.compound_name,
        facts.geom_cgcs2000,
        facts.collected_date,
        streets.code as street_code,
        communities.code as community_code
    from given as facts
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
        level,
        geom_cgcs2000
    from {{ ref('spatiotemporal__divisions') }}
    where level in ('street', 'community') and geom_cgcs2000 is not null
),

located as (
    select
        points.address_code,
        min(case when shapes.level = 'street' then shapes.division_code end) as located_street_code,
        min(case when shapes.level = 'community' then shapes.division_code end) as located_community_code
    from points
    inner join shapes
        on {{ geometry_contains('shapes.geom_cgcs2000', 'points.geom_cgcs2000') }}
    group by points.address_code
),

known as (
    select count(*) as shapes_count
    from shapes
    where level = 'street'
)

select
    points.address_code,
    points.standard_address,
    points.street_code,
    coalesce(points.community_code, located.located_community_code) as community_code,
    points.lane_name,
    points.house_number,
    points.compound_name,
    points.source,
    {{ point_longitude('points.geom_cgcs2000') }} as longitude_cgcs2000,
    {{ point_latitude('points.geom_cgcs2000') }} as latitude_cgcs2000,
    located.located_street_code,
    case
        when points.geom_cgcs2000 is not null and known.shapes_count > 0 then located.located_street_code is not null
    end as is_inside_district,
    case
        when located.located_street_code is not null and points.street_code is not null
            then located.located_street_code = points.street_code
    end as is_inside_street,
    points.collected_date,
    points.geom_cgcs2000
from points
cross join known
left join located
    on points.address_code = located.address_code
