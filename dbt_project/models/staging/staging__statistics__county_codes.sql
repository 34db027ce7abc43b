-- 县级行政区划代码沿革: one row a row of feed.statistics__county_codes.
select
    list_publisher,
    list_month,
    division_code,
    division_name,
    _receipt,
    _loaded_at
from {{ source('feed', 'statistics__county_codes') }}
