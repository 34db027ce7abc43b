-- The registered addresses of entities that lie in the district, matched to standard addresses. One row a credit code.
{{ address_book() }}
{{ config(
    answered_by='addresses', remade_by='uscc', changed_in={'market_supervision__enterprises': 'uscc'}) }}
with stated as (
    select
        uscc,
        max(entity_address) as address_text
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null and entity_address is not null and {{ of_changed_records('uscc') }}
    group by uscc
),

{{ matches_of_stated(['uscc']) }}
