-- 底图要素（建筑、道路、绿地、水系）: one row a row of feed.planning__base_map.
select
    feature_code,
    layer_code,
    feature_name,
    feature_class,
    floors_count,
    height_m,
    width_m,
    accuracy_m,
    built_date,
    removed_date,
    surveyed_date,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__base_map') }}
