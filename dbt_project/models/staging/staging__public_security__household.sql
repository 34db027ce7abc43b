-- 户籍人口登记: one row a row of feed.public_security__household.
-- Left behind, because they name a person: resident_id, person_name, household_number, phone.
select
    resident_key,
    sex_code,
    ethnic_code,
    birth_date,
    household_key,
    family_relation_code,
    education_code,
    marital_code,
    registered_address,
    community_code,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'public_security__household') }}
