-- 社区名录: one row a row of feed.planning__communities.
select
    street_code,
    street_name,
    street_short_name,
    community_name,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__communities') }}
