-- Keys of persons that were merged into others, parted, or have no record any more: one row a change.
select
    from_key,
    to_key,
    current_key,
    reason,
    changed_at
from {{ source('platform', 'person_redirects') }}
