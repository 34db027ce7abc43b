-- The review queue: writings that could not be matched surely, with how often they occur. `lakehouse address confirm`
-- settles one, and the next build knows it. Addresses outside the district and empty ones are not asked.
-- Addresses of residents are not copied here: a queue that stewards pass around may not say where persons live.
with unsure as (
    select
        'legal_entity' as source,
        address_text,
        unmatched_reason,
        best_guess,
        confidence
    from {{ ref('legal_entity__entity_addresses') }}
    union all
    select
        'hotline' as source,
        address_text,
        unmatched_reason,
        best_guess,
        confidence
    from {{ ref('hotline__order_addresses') }}
)

select
    source,
    address_text,
    max(unmatched_reason) as unmatched_reason,
    max(best_guess) as best_guess,
    max(confidence) as confidence,
    cast(count(*) as integer) as records_count
from unsure
where unmatched_reason in ('ambiguous', 'unsure', 'unknown_name')
group by source, address_text
