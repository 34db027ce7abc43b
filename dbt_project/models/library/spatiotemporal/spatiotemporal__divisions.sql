-- Province, districts, streets and communities with codes and valid time; polygons where planning has delivered them:
-- of several outlines of a district, the one of its own file before those of a map provider, the finer one first.
-- Where only lists tell when a code came or went, valid_from and valid_to are the widest, certain_from and
-- certain_to the narrowest span the lists allow. The middle is a point inside the polygon, or where there is none the
-- one that the code list of statistics states: 9 digits of a street, 12 of a community, zeros put behind.
{{ config(stands='content') }}
with history as (
    select
        code,
        name,
        level,
        nullif(parent, '000000') as parent,
        seen_from,
        seen_to,
        valid_from as earliest_from,
        valid_to as latest_to
    from {{ ref('division_history') }}
),

listed as (
    select
        code,
        name,
        'district' as level,
        parent,
        valid_from,
        valid_to
    from {{ ref('codes__districts') }}
    union all
    select
        code,
        name,
        'street' as level,
        parent,
        valid_from,
        valid_to
    from {{ ref('codes__streets') }}
    union all
    select
        code,
        name,
        'community' as level,
        parent,
        valid_from,
        valid_to
    from {{ ref('codes__communities') }}
),

codes as (
    select
        code,
        name,
        level,
        parent,
        valid_from,
        valid_to
    from listed
    union all
    select
        history.code,
        history.name,
        history.level,
        history.parent,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to
    from history
    left join listed
        on history.code = listed.code
    where listed.code is null
),

spans as (
    select
        codes.code,
        codes.name,
        codes.level,
        codes.parent,
        coalesce(codes.valid_from, history.earliest_from, cast('1900-01-01' as date)) as valid_from,
        coalesce(
            codes.valid_to,
            case when history.latest_to < cast('9999-12-31' as date) then history.latest_to end
        ) as valid_to,
        coalesce(codes.valid_from, history.seen_from) as certain_from,
        coalesce(
            codes.valid_to,
            case
                when history.latest_to < cast('9999-12-31' as date) then {{ day_after('history.seen_to') }}
            end
        ) as certain_to
    from codes
    left join history
        on codes.code = history.code
),

outlines as (
    select
        'planning__divisions' as feed_id,
        1 as preference,
        division_code,
        area_ha,
        geom_cgcs2000
    from {{ ref('staging__planning__divisions') }}
    union all
    select
        'planning__district_fence' as feed_id,
        2 as preference,
        division_code,
        cast(null as double) as area_ha,
        geom_cgcs2000
    from {{ ref('staging__planning__district_fence') }}
    union all
    select
        'planning__district_boundaries' as feed_id,
        3 as preference,
        division_code,
        cast(null as double) as area_ha,
        geom_cgcs2000
    from {{ ref('staging__planning__district_boundaries') }}
),

ranked as (
    select
        *,
        row_number() over (partition by division_code order by preference) as place
    from outlines
),

shapes as (
    select
        ranked.feed_id,
        ranked.division_code,
        ranked.area_ha,
        case
            when {{ geometry_is_valid('ranked.geom_cgcs2000') }} then ranked.geom_cgcs2000
            else {{ geometry_made_valid('ranked.geom_cgcs2000') }}
        end as geom_cgcs2000,
        sources.origin_crs,
        sources.accuracy_m
    from ranked
    inner join {{ ref('map_sources') }} as sources
        on ranked.feed_id = sources.feed_id
    where ranked.place = 1
),

stated as (
    select
        {{ division_of_area_code('area_code') }} as division_code,
        max(geom_cgcs2000) as geom_cgcs2000
    from {{ ref('staging__statistics__area_codes') }}
    where geom_cgcs2000 is not null
    group by 1
),

placed as (
    select
        codes.code,
        coalesce(
            case when shapes.geom_cgcs2000 is not null then {{ geometry_inner_point('shapes.geom_cgcs2000') }} end,
            stated.geom_cgcs2000
        ) as middle
    from codes
    left join shapes
        on codes.code = shapes.division_code
    left join stated
        on codes.code = stated.division_code
)

select
    spans.code as division_code,
    spans.name as division_name,
    spans.level,
    spans.parent as parent_code,
    spans.valid_from,
    spans.valid_to,
    spans.certain_from,
    spans.certain_to,
    spans.valid_to is null as is_current,
    case
        when shapes.geom_cgcs2000 is not null then round({{ geometry_area_m2('shapes.geom_cgcs2000') }}, 0)
    end as area_m2,
    shapes.area_ha * 10000 as stated_area_m2,
    case when spans.valid_to is null then {{ point_longitude('placed.middle') }} end as longitude_cgcs2000,
    case when spans.valid_to is null then {{ point_latitude('placed.middle') }} end as latitude_cgcs2000,
    shapes.origin_crs,
    shapes.accuracy_m,
    shapes.feed_id as source_feed,
    shapes.geom_cgcs2000
from spans
left join placed
    on spans.code = placed.code
left join shapes
    on spans.code = shapes.division_code and spans.valid_to is null
