-- 街道界线: one row a row of feed.planning__divisions.
select
    division_code,
    division_name,
    area_ha,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__divisions') }}
