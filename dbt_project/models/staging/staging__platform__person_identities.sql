-- What the resident ID that linking believes tells of a person: one row a person.
select
    person_key,
    resident_key,
    birth_date,
    sex_code,
    is_identified,
    changed_run
from {{ source('platform', 'person_identities') }}
