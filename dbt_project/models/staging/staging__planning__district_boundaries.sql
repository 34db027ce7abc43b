-- 区级界线（GCJ-02 来源）: one row a row of feed.planning__district_boundaries.
select
    division_code,
    division_name,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__district_boundaries') }}
