-- 学习场所: one row a row of feed.education__learning_venues.
select
    poi_name,
    poi_address,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'education__learning_venues') }}
