-- 全国宏观序列（长表抄录）: one row a row of feed.statistics__national_series.
select
    indicator_name,
    published_date,
    indicator_value,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__national_series') }}
