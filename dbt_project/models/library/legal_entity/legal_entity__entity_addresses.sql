-- The registered addresses of entities that lie in the district, matched to standard addresses. One row a credit code.
{{ address_book() }}
{{ config(answered_by='addresses') }}
with stated as (
    select
        uscc,
        max(entity_address) as address_text
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null and entity_address is not null
    group by uscc
),

{{ answers_kept('stated', ['uscc'], ['address_text']) }}
matched as (
    select
        address_text,
        {{ address_match('address_text') }} as found
    from (select distinct address_text from unanswered) as texts
)

select
    unanswered.uscc,
    unanswered.address_text,
    {{ address_match_columns('matched.found') }}
from unanswered
inner join matched
    on unanswered.address_text = matched.address_text
{{ union_kept_matches(['uscc', 'address_text']) }}
