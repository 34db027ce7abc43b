-- One row a person in one role at one organisation; persons stand as the pseudonym that joins population.residents.
with roles as (
    select
        uscc,
        resident_key,
        position_name as role_name,
        appointed_date,
        cast(null as decimal(11, 4)) as shareholding_pct
    from {{ ref('staging__market_supervision__key_persons') }}
    where resident_key is not null
    union all
    select
        uscc,
        resident_key,
        '股东' as role_name,
        cast(null as date) as appointed_date,
        cast(shareholding_pct as decimal(11, 4)) as shareholding_pct
    from {{ ref('staging__market_supervision__shareholders') }}
    where resident_key is not null
)

select
    uscc,
    resident_key,
    role_name,
    min(appointed_date) as appointed_date,
    sum(shareholding_pct) as shareholding_pct
from roles
group by uscc, resident_key, role_name
