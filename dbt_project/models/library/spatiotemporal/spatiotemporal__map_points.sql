-- The base map's points: classified points of interest, city components, sensor sites; community, valid time, origin.
-- House numbers are spatiotemporal.addresses; cameras, of a higher grade, spatiotemporal.cameras.
with delivered as (
    {{ points_of(
        'planning__poi', ref('staging__planning__poi'),
        'poi_code', 'poi_class_code', 'poi_name', address='poi_address', surveyed='collected_date'
    ) }}
    union all
    {{ points_of(
        'planning__residential_compounds', ref('staging__planning__residential_compounds'),
        "compound_name || '@' || compound_address", "'residential'", 'compound_name', address='compound_address'
    ) }}
    union all
    {{ points_of(
        'education__schools', ref('staging__education__schools'),
        'poi_name', "'school'", 'poi_name', address='poi_address'
    ) }}
    union all
    {{ points_of(
        'education__learning_venues', ref('staging__education__learning_venues'),
        "poi_name || '@' || poi_address", "'learning'", 'poi_name', address='poi_address'
    ) }}
    union all
    {{ points_of(
        'transport__stations', ref('staging__transport__stations'),
        'station_code', "'transit'", 'transit_station_name'
    ) }}
    union all
    {{ points_of(
        'urban_management__components', ref('staging__urban_management__components'),
        'component_code', 'component_kind_code', 'component_state', installed='installed_date', removed='removed_date', surveyed='surveyed_date'
    ) }}
    union all
    {{ points_of(
        'city_sensing__sensors', ref('staging__city_sensing__sensors'),
        'sensor_id', 'sensor_kind_code', 'sensor_name', installed='installed_date', removed='removed_date', surveyed='installed_date'
    ) }}
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

streets as (
    select
        division_code,
        geom_cgcs2000
    from {{ ref('spatiotemporal__divisions') }}
    where
        level = 'street'
        and geom_cgcs2000 is not null
),

in_community as (
    select
        delivered.feed_id,
        delivered.point_code,
        min(communities.division_code) as community_code
    from delivered
    inner join communities
        on {{ geometry_contains('communities.geom_cgcs2000', 'delivered.geom_cgcs2000') }}
    group by delivered.feed_id, delivered.point_code
),

in_street as (
    select
        delivered.feed_id,
        delivered.point_code,
        min(streets.division_code) as street_code
    from delivered
    inner join streets
        on {{ geometry_contains('streets.geom_cgcs2000', 'delivered.geom_cgcs2000') }}
    group by delivered.feed_id, delivered.point_code
)

select
    delivered.feed_id as source_feed,
    delivered.point_code,
    sources.layer_code,
    delivered.class_code,
    delivered.point_name,
    delivered.address,
    coalesce(in_street.street_code, substring(in_community.community_code, 1, 9)) as street_code,
    in_community.community_code,
    case
        when delivered.geom_cgcs2000 is not null
            then in_street.street_code is not null or in_community.community_code is not null
    end as is_inside_district,
    coalesce(delivered.installed_date, delivered.surveyed_date) as valid_from,
    delivered.removed_date as valid_to,
    delivered.removed_date is null as is_current,
    sources.origin_crs,
    sources.accuracy_m,
    delivered._receipt as source_receipt,
    {{ point_longitude('delivered.geom_cgcs2000') }} as longitude_cgcs2000,
    {{ point_latitude('delivered.geom_cgcs2000') }} as latitude_cgcs2000,
    delivered.geom_cgcs2000
from delivered
inner join {{ ref('map_sources') }} as sources
    on delivered.feed_id = sources.feed_id
left join in_community
    on delivered.feed_id = in_community.feed_id and delivered.point_code = in_community.point_code
left join in_street
    on delivered.feed_id = in_street.feed_id and delivered.point_code = in_street.point_code
