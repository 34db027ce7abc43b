-- 价格指数（网页抄录）: one row a row of feed.statistics__price_indices.
select
    indicator_name,
    period_month,
    indicator_value,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__price_indices') }}
