-- 房屋使用人登记: one row a row of feed.housing__occupants.
-- Left behind, because they name a person: person_name, resident_id, phone.
select
    occupancy_number,
    dwelling_code,
    residence_address,
    community_name,
    occupancy_kind_code,
    resident_key,
    birth_year,
    move_in_date,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'housing__occupants') }}
