-- 主要经济社会指标（年度）: one row a row of feed.statistics__indicators.
select
    indicator_name,
    indicator_unit,
    period_year,
    indicator_value,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__indicators') }}
