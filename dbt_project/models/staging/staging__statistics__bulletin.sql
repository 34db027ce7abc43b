-- 统计公报: one row a row of feed.statistics__bulletin.
select
    indicator_name,
    period_year,
    indicator_unit,
    indicator_value,
    published_yoy_pct,
    remark,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__bulletin') }}
