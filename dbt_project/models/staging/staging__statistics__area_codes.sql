-- 统计用区划代码（街道、社区）: one row a row of feed.statistics__area_codes.
select
    area_code,
    area_parent_code,
    division_name,
    urban_rural_code,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__area_codes') }}
