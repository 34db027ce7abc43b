-- 住宅小区: one row a row of feed.planning__residential_compounds.
select
    compound_name,
    compound_address,
    households_count,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'planning__residential_compounds') }}
