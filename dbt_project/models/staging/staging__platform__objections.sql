-- One row an action on an objection: raised, accepted, rejected. Reasons are free text and stay behind.
select
    objection as objection_id,
    action,
    feed as feed_id,
    rule_code,
    month,
    acted_at
from {{ source('platform', 'objections') }}
