-- One row a batch that was compared with the truth.
select
    feed as feed_id,
    receipt,
    rows_checked,
    rows_wrong,
    checked_at
from {{ source('platform', 'truths') }}
