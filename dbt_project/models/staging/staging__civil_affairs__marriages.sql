-- 婚姻登记: one row a row of feed.civil_affairs__marriages.
-- Left behind, because they name a person: husband_name, husband_resident_id, husband_phone, wife_name,
-- wife_resident_id, wife_phone.
select
    marriage_number,
    marriage_event_code,
    registration_date,
    husband_resident_key,
    husband_birth_date,
    wife_resident_key,
    wife_birth_date,
    residence_address,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'civil_affairs__marriages') }}
