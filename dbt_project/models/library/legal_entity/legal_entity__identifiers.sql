-- One row a number of before the credit codes that belongs to exactly one organisation.
-- The organisation code stands inside the credit code (GB 32100, 9 to 17) and inside a 15-digit taxpayer number (its
-- last nine); a registration number is known where the tax register names it beside a code, an org code or a name.
with known as (
    {{ known_entities() }}
),

org_codes as (
    select
        substring(uscc, 9, 9) as identifier_number,
        max(uscc) as uscc
    from known
    group by substring(uscc, 9, 9)
    having count(*) = 1
),

stated as (
    select
        taxpayers.registration_number as identifier_number,
        coalesce(known.uscc, org_codes.uscc, links.uscc) as uscc
    from {{ ref('staging__tax__registrations') }} as taxpayers
    left join known
        on taxpayers.uscc = known.uscc
    left join org_codes
        on taxpayers.org_code = org_codes.identifier_number
    left join {{ ref('legal_entity__name_links') }} as links
        on taxpayers.entity_name = links.source_name
    where taxpayers.registration_number is not null
),

registrations as (
    select
        identifier_number,
        max(uscc) as uscc
    from stated
    where uscc is not null
    group by identifier_number
    having count(distinct uscc) = 1
)

select
    'org_code' as identifier_kind,
    identifier_number,
    uscc
from org_codes
union all
select
    'registration_15' as identifier_kind,
    identifier_number,
    uscc
from registrations
