-- 城市管理部件: one row a row of feed.urban_management__components.
select
    component_code,
    component_kind_code,
    component_state,
    owner_name,
    installed_date,
    removed_date,
    surveyed_date,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'urban_management__components') }}
