-- 事业单位法人登记信息: one row a row of feed.staffing__institutions.
select
    entity_name,
    uscc,
    supervising_unit_name,
    funding_source,
    registered_capital_10k,
    legal_representative,
    entity_address,
    registration_date,
    entity_status,
    _receipt,
    _loaded_at
from {{ source('feed', 'staffing__institutions') }}
