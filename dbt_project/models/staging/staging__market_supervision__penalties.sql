-- 行政处罚信息（法人）: one row a row of feed.market_supervision__penalties.
-- Left behind, because they name a person: id_document_number.
select
    party_name,
    legal_representative,
    id_document_kind,
    decision_number,
    violation_kind,
    violation_facts,
    penalty_basis,
    penalty_kind,
    penalty_content,
    fine_10k_cny,
    decision_date,
    valid_until_text,
    authority_name,
    remark,
    _receipt,
    _loaded_at
from {{ source('feed', 'market_supervision__penalties') }}
