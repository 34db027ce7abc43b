-- 轨道与公交车站: one row a row of feed.transport__stations.
select
    station_code,
    transit_station_name,
    division_code,
    lines_count,
    line_names,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'transport__stations') }}
