-- District, streets and communities with codes and valid time; polygons where planning has delivered them.
with codes as (
    select
        code,
        name,
        'district' as level,
        parent,
        valid_from,
        valid_to
    from {{ ref('codes__districts') }}
    union all
    select
        code,
        name,
        'street' as level,
        parent,
        valid_from,
        valid_to
    from {{ ref('codes__streets') }}
    union all
    select
        code,
        name,
        'community' as level,
        parent,
        valid_from,
        valid_to
    from {{ ref('codes__communities') }}
),

shapes as (
    select
        division_code,
        area_ha,
        geom_cgcs2000
    from {{ ref('staging__planning__divisions') }}
)

select
    codes.code as division_code,
    codes.name as division_name,
    codes.level,
    codes.parent as parent_code,
    coalesce(codes.valid_from, cast('1900-01-01' as date)) as valid_from,
    codes.valid_to,
    codes.valid_to is null as is_current,
    case
        when shapes.geom_cgcs2000 is not null then round({{ geometry_area_m2('shapes.geom_cgcs2000') }}, 0)
    end as area_m2,
    shapes.area_ha * 10000 as stated_area_m2,
    shapes.geom_cgcs2000
from codes
left join shapes
    on codes.code = shapes.division_code and codes.valid_to is null
