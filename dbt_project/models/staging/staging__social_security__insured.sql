-- 社会保险参保人员: one row a row of feed.social_security__insured.
-- Left behind, because they name a person: resident_id, person_name, phone.
select
    insured_number,
    resident_key,
    sex_code,
    birth_date,
    insurance_kind_code,
    insured_status_code,
    residence_address,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'social_security__insured') }}
