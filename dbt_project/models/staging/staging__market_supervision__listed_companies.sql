-- 上市公司名录: one row a row of feed.market_supervision__listed_companies.
select
    entity_name,
    entity_type,
    source_record_id,
    source_updated_at,
    uscc,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__listed_companies') }}
