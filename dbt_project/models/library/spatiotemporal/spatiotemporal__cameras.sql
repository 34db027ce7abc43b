-- Cameras of public places with valid time and community; of grade 3, so they stand apart from the other points.
with communities as (
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
        cameras.camera_code,
        min(communities.division_code) as community_code
    from {{ ref('staging__public_security__cameras') }} as cameras
    inner join communities
        on {{ geometry_contains('communities.geom_cgcs2000', 'cameras.geom_cgcs2000') }}
    group by cameras.camera_code
)

select
    cameras.camera_code,
    cameras.camera_name,
    cameras.camera_kind,
    substring(located.community_code, 1, 9) as street_code,
    located.community_code,
    cameras.installed_date as valid_from,
    cameras.removed_date as valid_to,
    cameras.removed_date is null as is_current,
    sources.origin_crs,
    sources.accuracy_m,
    cameras._receipt as source_receipt,
    cameras.geom_cgcs2000
from {{ ref('staging__public_security__cameras') }} as cameras
inner join {{ ref('map_sources') }} as sources
    on sources.feed_id = 'public_security__cameras'
left join located
    on cameras.camera_code = located.camera_code
