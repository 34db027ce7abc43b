-- One row a number of before the credit codes that belongs to exactly one organisation.
-- The organisation code stands inside the credit code (GB 32100, 9 to 17) and inside a 15-digit taxpayer number (its
-- last nine); a registration number is known where the tax register names it beside a code, its holder or a name.
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
        coalesce(taxpayers.uscc, links.uscc) as uscc
    from {{ ref('legal_entity__record_codes') }} as taxpayers
    left join {{ ref('legal_entity__name_links') }} as links
        on taxpayers.source_name = links.source_name
    where taxpayers.feed_id = 'tax__registrations' and taxpayers.registration_number is not null
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
