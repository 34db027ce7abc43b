-- One row a shareholding: persons stand as pseudonyms, companies as their codes. In a ring: the company owns, directly
-- or through others, its own shareholder.
{{ config(stands='content') }}
select
    facts.source_record_id,
    facts.uscc,
    facts.shareholder_kind_code,
    facts.resident_key,
    facts.shareholder_uscc,
    facts.subscribed_10k_cny,
    facts.shareholding_pct,
    facts.shareholder_uscc is not null and (rings.uscc is not null or facts.shareholder_uscc = facts.uscc) as is_in_ring
from {{ ref('staging__market_supervision__shareholders') }} as facts
left join {{ ref('legal_entity__ownership') }} as rings
    on
        facts.uscc = rings.owner_key
        and facts.shareholder_uscc = rings.uscc
        and rings.owner_kind = 'entity'
where facts.uscc is not null
