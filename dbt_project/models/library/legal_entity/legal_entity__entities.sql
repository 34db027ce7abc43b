-- One row a unified social credit code (GB 32100). The register of enterprises wins over the list of listed firms.
-- Penalties carry names only: they count where a name, brackets and spaces aside, belongs to exactly one entity.
-- Tax arrears join by the code itself or by the organisation code inside a 15-digit taxpayer number.
with registered as (
    select
        uscc,
        entity_name,
        entity_type,
        registration_date,
        registered_capital_10k,
        registered_capital_currency,
        business_scope,
        district_name,
        entity_address
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null
),

listed_rows as (
    select
        uscc,
        entity_name,
        entity_type,
        row_number() over (partition by uscc order by source_updated_at desc, source_record_id asc) as place
    from {{ ref('staging__market_supervision__listed_companies') }}
    where uscc is not null
),

listed as (
    select *
    from listed_rows
    where place = 1
),

merged as (
    select
        coalesce(registered.uscc, listed.uscc) as uscc,
        coalesce(registered.entity_name, listed.entity_name) as entity_name,
        coalesce(registered.entity_type, listed.entity_type) as entity_type,
        registered.registration_date,
        registered.registered_capital_10k,
        registered.registered_capital_currency,
        registered.business_scope,
        registered.district_name,
        registered.entity_address,
        registered.uscc is not null as is_in_register,
        listed.uscc is not null as is_listed,
        case when listed.entity_name <> registered.entity_name then listed.entity_name end as other_name
    from registered
    full outer join listed
        on registered.uscc = listed.uscc
),

named as (
    select
        {{ name_key('entity_name') }} as name_key,
        max(uscc) as uscc
    from merged
    group by {{ name_key('entity_name') }}
    having count(*) = 1
),

penalties as (
    select
        named.uscc,
        count(*) as penalties_count,
        max(facts.decision_date) as last_penalty_date,
        sum(facts.fine_10k_cny) as fines_10k_cny
    from {{ ref('staging__market_supervision__penalties') }} as facts
    inner join named
        on {{ name_key('facts.party_name') }} = named.name_key
    group by named.uscc
),

org_codes as (
    select
        substring(uscc, 9, 9) as org_code,
        max(uscc) as uscc
    from merged
    group by substring(uscc, 9, 9)
    having count(*) = 1
),

arrears as (
    select
        coalesce(org_codes.uscc, facts.uscc) as uscc,
        sum(facts.arrears_cny) as tax_arrears_cny
    from {{ ref('staging__tax__arrears') }} as facts
    left join org_codes
        on facts.org_code = org_codes.org_code
    group by coalesce(org_codes.uscc, facts.uscc)
),

districts as (
    select
        code,
        name
    from {{ ref('codes__districts') }}
    where valid_to is null
)

select
    merged.uscc,
    merged.entity_name,
    merged.other_name,
    merged.entity_type,
    merged.registration_date,
    merged.registered_capital_10k,
    merged.registered_capital_currency,
    merged.business_scope,
    merged.entity_address,
    districts.code as district_code,
    substring(merged.uscc, 3, 6) as authority_area_code,
    substring(merged.uscc, 9, 9) as org_code,
    merged.is_in_register,
    merged.is_listed,
    cast(coalesce(penalties.penalties_count, 0) as integer) as penalties_count,
    penalties.last_penalty_date,
    cast(penalties.fines_10k_cny as decimal(24, 6)) as fines_10k_cny,
    arrears.uscc is not null as has_tax_arrears,
    cast(arrears.tax_arrears_cny as decimal(24, 3)) as tax_arrears_cny
from merged
left join districts
    on
        merged.district_name = districts.name
        or merged.district_name || '区' = districts.name
left join penalties
    on merged.uscc = penalties.uscc
left join arrears
    on merged.uscc = arrears.uscc
