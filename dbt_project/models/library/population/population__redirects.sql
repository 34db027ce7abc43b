-- Keys of persons that are no longer what they were: one row a change. merged: from_key lives on as current_key;
-- split: records of from_key became to_key; gone: no register knows that person any more.
select
    from_key,
    coalesce(to_key, '') as to_key,
    current_key,
    reason,
    changed_at
from {{ ref('staging__platform__person_redirects') }}
