-- 股东及出资信息: one row a row of feed.market_supervision__shareholders.
-- Left behind, because they name a person or may: shareholder_name, resident_id.
select
    source_record_id,
    uscc,
    shareholder_kind_code,
    resident_key,
    shareholder_uscc,
    subscribed_10k_cny,
    shareholding_pct,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__shareholders') }}
