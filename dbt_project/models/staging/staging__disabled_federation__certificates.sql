-- 残疾人证: one row a row of feed.disabled_federation__certificates.
-- Left behind, because they name a person: disability_certificate_number, resident_id, person_name, phone,
-- guardian_name, guardian_phone.
select
    certificate_key,
    resident_key,
    sex_code,
    birth_date,
    disability_kind_code,
    disability_level_code,
    community_name,
    residence_address,
    issued_date,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'disabled_federation__certificates') }}
