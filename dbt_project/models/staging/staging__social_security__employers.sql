-- 社会保险参保单位: one row a row of feed.social_security__employers.
-- Left behind, because they name a person or may: entity_code_text, holder_resident_id.
select
    employer_number,
    entity_name,
    uscc,
    org_code,
    registration_number,
    entity_code_kind,
    holder_resident_key,
    insured_employees_count,
    contribution_status,
    arrears_months_count,
    _receipt,
    _loaded_at
from {{ source('feed', 'social_security__employers') }}
