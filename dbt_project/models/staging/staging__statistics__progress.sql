-- 经济运行进度数据（月、季）: one row a row of feed.statistics__progress.
select
    indicator_name,
    indicator_unit,
    period,
    indicator_value,
    published_yoy_pct,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__progress') }}
