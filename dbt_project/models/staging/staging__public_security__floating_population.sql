-- 流动人口登记: one row a row of feed.public_security__floating_population.
-- Left behind, because they name a person: person_name, resident_id, phone.
select
    street_name,
    community_name,
    resident_key,
    sex_code,
    birth_date,
    registered_address,
    arrival_date,
    residence_address,
    registration_date,
    _receipt,
    _loaded_at
from {{ source('feed', 'public_security__floating_population') }}
