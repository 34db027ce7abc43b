-- 小学名录与位置: one row a row of feed.education__schools.
select
    poi_name,
    poi_address,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'education__schools') }}
