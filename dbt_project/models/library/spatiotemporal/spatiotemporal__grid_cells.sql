-- Urban-management grid cells (单元网格): community, area, polygon in CGCS2000.
select
    grid_code,
    grid_name,
    community_code,
    substring(community_code, 1, 9) as street_code,
    round({{ geometry_area_m2('geom_cgcs2000') }}, 0) as area_m2,
    {{ geometry_is_valid('geom_cgcs2000') }} as is_geometry_valid,
    case
        when {{ geometry_is_valid('geom_cgcs2000') }} then geom_cgcs2000
        else {{ geometry_made_valid('geom_cgcs2000') }}
    end as geom_cgcs2000
from {{ ref('staging__urban_management__grid_cells') }}
