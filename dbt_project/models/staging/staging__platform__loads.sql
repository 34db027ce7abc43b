-- One row a delivery, as platform.loads keeps it.
select
    feed as feed_id,
    receipt,
    file as file_name,
    landed_at,
    verdict,
    rows_found,
    rows_loaded,
    rows_quarantined,
    rows_skipped,
    reasons,
    skipped,
    {{ json_text('error', 'error') }} as refusal_code
from {{ source('platform', 'loads') }}
