-- The base map's lines and areas: buildings, roads, green, water; repaired where they crossed themselves, with the
-- community their inner point lies in, valid time, accuracy and where they come from.
with delivered as (
    select
        facts.feature_code,
        facts.layer_code,
        facts.feature_name,
        facts.feature_class,
        facts.floors_count,
        facts.height_m,
        facts.width_m,
        facts.accuracy_m,
        facts.built_date,
        facts.removed_date,
        facts.surveyed_date,
        facts._receipt as source_receipt,
        {{ geometry_is_valid('facts.geom_cgcs2000') }} as is_geometry_valid,
        case
            when {{ geometry_is_valid('facts.geom_cgcs2000') }} then facts.geom_cgcs2000
            else {{ geometry_made_valid('facts.geom_cgcs2000') }}
        end as geom_cgcs2000
    from {{ ref('staging__planning__base_map') }} as facts
),

inner_points as (
    select
        feature_code,
        {{ geometry_inner_point('geom_cgcs2000') }} as geom_point
    from delivered
),

communities as (
    select
        division_code,
        geom_cgcs2000
    from {{ ref('spatiotemporal__divisions') }}
    where
        level = 'community'
        and geom_cgcs2000 is not null
),

located as (
    select
        inner_points.feature_code,
        min(communities.division_code) as community_code
    from inner_points
    inner join communities
        on {{ geometry_contains('communities.geom_cgcs2000', 'inner_points.geom_point') }}
    group by inner_points.feature_code
)

select
    delivered.feature_code,
    delivered.layer_code,
    delivered.feature_name,
    delivered.feature_class,
    delivered.floors_count,
    delivered.height_m,
    delivered.width_m,
    substring(located.community_code, 1, 9) as street_code,
    located.community_code,
    case
        when delivered.layer_code <> 'road' then round({{ geometry_area_m2('delivered.geom_cgcs2000') }}, 2)
    end as area_m2,
    case
        when delivered.layer_code = 'road' then round({{ geometry_length_m('delivered.geom_cgcs2000') }}, 2)
    end as length_m,
    delivered.is_geometry_valid,
    coalesce(delivered.built_date, delivered.surveyed_date) as valid_from,
    delivered.removed_date as valid_to,
    delivered.removed_date is null as is_current,
    delivered.surveyed_date,
    sources.origin_crs,
    coalesce(delivered.accuracy_m, sources.accuracy_m) as accuracy_m,
    sources.feed_id as source_feed,
    delivered.source_receipt,
    delivered.geom_cgcs2000
from delivered
inner join {{ ref('map_sources') }} as sources
    on sources.feed_id = 'planning__base_map'
left join located
    on delivered.feature_code = located.feature_code
