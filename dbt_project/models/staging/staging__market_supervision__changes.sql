-- 企业变更登记: one row a row of feed.market_supervision__changes.
select
    entity_change_id,
    uscc,
    entity_name,
    entity_change_code,
    value_before,
    value_after,
    approval_date,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__changes') }}
