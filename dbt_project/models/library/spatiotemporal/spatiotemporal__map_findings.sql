-- What is wrong with the base map, one row a finding: shapes that crossed themselves, overlaps, gaps, communities
-- outside their street, points within 2 m of one of the same name, points outside the district.
with areas as (
    select
        layer_code as layer,
        feature_code as code,
        geom_cgcs2000
    from {{ ref('spatiotemporal__map_features') }}
    where layer_code = 'building' and is_current
    union all
    select
        'grid_cell' as layer,
        grid_code as code,
        geom_cgcs2000
    from {{ ref('spatiotemporal__grid_cells') }}
    union all
    select
        level as layer,
        division_code as code,
        geom_cgcs2000
    from {{ ref('spatiotemporal__divisions') }}
    where geom_cgcs2000 is not null and level in ('street', 'community')
),

meeting as (
    select
        a.layer,
        a.code,
        b.code as other_code,
        {{ geometry_area_m2(geometry_common('a.geom_cgcs2000', 'b.geom_cgcs2000')) }} as measure
    from areas as a
    inner join areas as b
        on {{ geometry_intersects('a.geom_cgcs2000', 'b.geom_cgcs2000') }}
    where a.layer = b.layer and a.code < b.code
),

covers as (
    select
        'community' as layer,
        substring(code, 1, 9) as parent_code,
        {{ geometry_union('geom_cgcs2000') }} as geom_cgcs2000
    from areas
    where layer = 'community'
    group by substring(code, 1, 9)
    union all
    select
        'grid_cell' as layer,
        substring(code, 1, 12) as parent_code,
        {{ geometry_union('geom_cgcs2000') }} as geom_cgcs2000
    from areas
    where layer = 'grid_cell'
    group by substring(code, 1, 12)
),

compared as (
    select
        covers.layer,
        covers.parent_code,
        {{ geometry_area_m2(geometry_rest('parents.geom_cgcs2000', 'covers.geom_cgcs2000')) }} as uncovered_m2,
        {{ geometry_area_m2(geometry_rest('covers.geom_cgcs2000', 'parents.geom_cgcs2000')) }} as outside_m2
    from covers
    inner join areas as parents
        on covers.parent_code = parents.code
),

points as (
    select
        source_feed,
        layer_code,
        point_code,
        class_code,
        coalesce(point_name, '') as point_name,
        longitude_cgcs2000,
        latitude_cgcs2000,
        is_inside_district,
        cast(floor(latitude_cgcs2000 / 0.0001) as bigint) as band
    from {{ ref('spatiotemporal__map_points') }}
    where geom_cgcs2000 is not null and is_current
),

near_bands as (
    select -1 as step
    union all
    select 0 as step
    union all
    select 1 as step
),

twins as (
    select
        a.layer_code as layer,
        a.point_code as code,
        b.point_code as other_code,
        {{ metres_apart('a.longitude_cgcs2000', 'a.latitude_cgcs2000', 'b.longitude_cgcs2000', 'b.latitude_cgcs2000') }}
            as measure
    from points as a
    cross join near_bands
    inner join points as b
        on
            a.class_code = b.class_code
            and a.point_name = b.point_name
            and a.band + near_bands.step = b.band
    where
        a.layer_code = b.layer_code
        and a.source_feed || a.point_code < b.source_feed || b.point_code
)

select
    'invalid_geometry' as rule,
    layer_code as layer,
    feature_code as code,
    '' as other_code,
    cast(null as double) as measure,
    '' as unit
from {{ ref('spatiotemporal__map_features') }}
where not is_geometry_valid
union all
select
    'overlap' as rule,
    layer,
    code,
    other_code,
    round(measure, 2) as measure,
    'm²' as unit
from meeting
where measure > 1
union all
select
    'gap' as rule,
    layer,
    parent_code as code,
    '' as other_code,
    round(uncovered_m2, 2) as measure,
    'm²' as unit
from compared
where uncovered_m2 > 10
union all
select
    'outside_parent' as rule,
    layer,
    parent_code as code,
    '' as other_code,
    round(outside_m2, 2) as measure,
    'm²' as unit
from compared
where outside_m2 > 10
union all
select
    'duplicate_point' as rule,
    layer,
    code,
    other_code,
    round(measure, 2) as measure,
    'm' as unit
from twins
where measure <= 2
union all
select
    'outside_district' as rule,
    layer_code as layer,
    point_code as code,
    source_feed as other_code,
    cast(null as double) as measure,
    '' as unit
from points
where not is_inside_district
