-- 标准地址点: one row a row of feed.planning__address_points.
select
    address_code,
    standard_address,
    street_name,
    community_name,
    lane_name,
    house_number,
    geom_cgcs2000,
    collected_date,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__address_points') }}
