-- 税务登记信息: one row a row of feed.tax__registrations.
-- Left behind, because they name a person or may: taxpayer_number, holder_resident_id.
select
    source_record_id,
    entity_name,
    uscc,
    org_code,
    entity_code_kind,
    holder_resident_key,
    registration_number,
    industry_code,
    taxpayer_status,
    registration_date,
    _receipt,
    _loaded_at
from {{ source('feed', 'tax__registrations') }}
