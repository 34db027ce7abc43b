-- 行政许可信息（法人）: one row a row of feed.government_services__licences.
-- Left behind, because they name a person or may: entity_code_text, holder_resident_id.
select
    licence_number,
    entity_name,
    uscc,
    org_code,
    registration_number,
    entity_code_kind,
    holder_resident_key,
    licence_kind,
    licence_content,
    valid_from_date,
    valid_to_date,
    authority_name,
    _receipt,
    _loaded_at
from {{ source('feed', 'government_services__licences') }}
