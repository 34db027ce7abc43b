-- 本区外围界线（GCJ-02 来源）: one row a row of feed.planning__district_fence.
select
    division_code,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__district_fence') }}
