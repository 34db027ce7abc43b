-- 企业欠税公告: one row a row of feed.tax__arrears.
select
    entity_name,
    taxpayer_number,
    entity_address,
    arrears_cny,
    tax_kind,
    _receipt,
    _loaded_at
from {{ source('feed', 'tax__arrears') }}
