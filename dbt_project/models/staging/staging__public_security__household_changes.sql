-- 户口变动登记: one row a row of feed.public_security__household_changes.
-- Left behind, because they name a person: resident_id, person_name, household_number.
select
    household_change_id,
    household_change_code,
    change_date,
    resident_key,
    sex_code,
    birth_date,
    household_key,
    former_address,
    registered_address,
    community_code,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'public_security__household_changes') }}
