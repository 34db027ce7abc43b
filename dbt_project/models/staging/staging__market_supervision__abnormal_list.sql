-- 经营异常名录: one row a row of feed.market_supervision__abnormal_list.
select
    entity_name,
    abnormal_reason,
    listed_date,
    delisted_date,
    authority_name,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__abnormal_list') }}
