-- Other ways to write an address, learned from confirmed matches. A writing that was confirmed for several addresses
-- teaches nothing: only what points to one address stands here.
{{ config(stands=true) }}
select
    {{ concat_text(['alias_name', "'|'", 'number_stem', "'|'", 'number', "'|'", 'building']) }} as alias_key,
    alias_name,
    number_stem,
    number,
    building,
    min(address_code) as address_code,
    cast(count(*) as integer) as confirmations_count,
    max(confirmed_at) as last_confirmed_at
from {{ ref('staging__platform__address_confirmations') }}
where alias_name is not null
group by alias_name, number_stem, number, building
having count(distinct address_code) = 1
