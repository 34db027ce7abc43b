-- 企业主要人员备案: one row a row of feed.market_supervision__key_persons.
-- Left behind, because they name a person or may: person_name, resident_id.
select
    source_record_id,
    uscc,
    position_name,
    resident_key,
    appointed_date,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__key_persons') }}
