-- 居民健康档案: one row a row of feed.health__records.
-- Left behind, because they name a person: person_name, resident_id, phone.
select
    health_record_number,
    resident_key,
    sex_code,
    birth_date,
    ethnic_code,
    residence_address,
    community_code,
    institution_name,
    registration_date,
    health_record_status_code,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'health__records') }}
