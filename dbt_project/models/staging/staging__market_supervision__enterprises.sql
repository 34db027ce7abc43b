-- 企业登记注册信息: one row a row of feed.market_supervision__enterprises.
select
    entity_name,
    uscc,
    registration_date,
    entity_type,
    legal_representative,
    registered_capital_text,
    registered_capital_10k,
    registered_capital_currency,
    business_scope,
    province_name,
    district_name,
    entity_address,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__enterprises') }}
