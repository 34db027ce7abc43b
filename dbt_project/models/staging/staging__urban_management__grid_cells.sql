-- 城市管理单元网格: one row a row of feed.urban_management__grid_cells.
select
    grid_code,
    grid_name,
    community_code,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'urban_management__grid_cells') }}
