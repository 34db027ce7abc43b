-- The base map's points: classified points of interest, city components, sensor sites; community, valid time, origin.
-- House numbers are spatiotemporal.addresses; cameras, of a higher grade, spatiotemporal.cameras.
with delivered as (
    select
        'planning__poi' as feed_id,
        poi_code as point_code,
        poi_class_code as class_code,
        poi_name as point_name,
        poi_address as address,
        cast(null as date) as installed_date,
        cast(null as date) as removed_date,
        collected_date as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__planning__poi') }}
    union all
    select
        'planning__residential_compounds' as feed_id,
        compound_name || '@' || compound_address as point_code,
        'residential' as class_code,
        compound_name as point_name,
        compound_address as address,
        cast(null as date) as installed_date,
        cast(null as date) as removed_date,
        {{ local_date('_loaded_at') }} as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__planning__residential_compounds') }}
    union all
    select
        'education__schools' as feed_id,
        poi_name as point_code,
        'school' as class_code,
        poi_name as point_name,
        poi_address as address,
        cast(null as date) as installed_date,
        cast(null as date) as removed_date,
        {{ local_date('_loaded_at') }} as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__education__schools') }}
    union all
    select
        'education__learning_venues' as feed_id,
        poi_name || '@' || poi_address as point_code,
        'learning' as class_code,
        poi_name as point_name,
        poi_address as address,
        cast(null as date) as installed_date,
        cast(null as date) as removed_date,
        {{ local_date('_loaded_at') }} as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__education__learning_venues') }}
    union all
    select
        'transport__stations' as feed_id,
        station_code as point_code,
        'transit' as class_code,
        transit_station_name as point_name,
        cast(null as {{ text_type() }}) as address,
        cast(null as date) as installed_date,
        cast(null as date) as removed_date,
        {{ local_date('_loaded_at') }} as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__transport__stations') }}
    union all
    select
        'urban_management__components' as feed_id,
        component_code as point_code,
        component_kind_code as class_code,
        component_state as point_name,
        cast(null as {{ text_type() }}) as address,
        installed_date,
        removed_date,
        surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__urban_management__components') }}
    union all
    select
        'city_sensing__sensors' as feed_id,
        sensor_id as point_code,
        sensor_kind_code as class_code,
        sensor_name as point_name,
        cast(null as {{ text_type() }}) as address,
        installed_date,
        removed_date,
        installed_date as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ ref('staging__city_sensing__sensors') }}
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
