-- Which person each record of a register is of: one row a person of a record, as linking wrote it.
select
    feed as feed_id,
    record_key,
    role,
    person_key,
    method,
    weight,
    has_own_id
from {{ source('platform', 'person_links') }}
