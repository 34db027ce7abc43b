-- 居民消费价格指数（月度）: one row a row of feed.statistics__cpi.
select
    period_month,
    cpi_national_yoy100,
    cpi_city_yoy100,
    cpi_rural_yoy100,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__cpi') }}
