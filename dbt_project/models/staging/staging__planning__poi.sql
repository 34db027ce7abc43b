-- 兴趣点（POI）: one row a row of feed.planning__poi.
select
    poi_code,
    poi_name,
    poi_class_code,
    poi_address,
    collected_date,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__poi') }}
