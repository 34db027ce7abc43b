-- 死亡（殡葬）登记: one row a row of feed.civil_affairs__deaths.
-- Left behind, because they name a person: person_name, resident_id, informant_name, informant_phone.
select
    death_certificate_number,
    resident_key,
    sex_code,
    birth_date,
    registered_address,
    community_name,
    death_date,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'civil_affairs__deaths') }}
