-- The registered addresses of entities that lie in the district, matched to standard addresses. One row a credit code.
{{ address_book() }}
with stated as (
    select
        uscc,
        max(entity_address) as address_text
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null and entity_address is not null
    group by uscc
),

matched as (
    select
        address_text,
        {{ address_match('address_text') }} as found
    from (select distinct address_text from stated) as texts
)

select
    stated.uscc,
    stated.address_text,
    {{ address_match_columns('matched.found') }}
from stated
inner join matched
    on stated.address_text = matched.address_text
