-- 各区主要指标比较: one row a row of feed.statistics__district_comparison.
select
    indicator_name,
    district_code,
    period_year,
    indicator_value,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__district_comparison') }}
