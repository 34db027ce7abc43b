-- 企业欠税公告: one row a row of feed.tax__arrears.
-- Left behind, because it may be a person's ID number: taxpayer_number.
select
    entity_name,
    uscc,
    org_code,
    entity_address,
    arrears_cny,
    tax_kind,
    _receipt,
    _loaded_at
from {{ source('feed', 'tax__arrears') }}
