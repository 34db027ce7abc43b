-- One row a unified social credit code (GB 32100): enterprises, social organisations, institutions, listed firms,
-- and others seen with their code whose own register has no usable row. Penalties, permits and the list of abnormal
-- operations count where they are linked (legal_entity.sources); tax arrears by the code, the organisation code inside
-- a taxpayer number, or the name.
with registers as (
    select
        uscc,
        'enterprise' as entity_class,
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
    union all
    select
        uscc,
        'social_organisation' as entity_class,
        entity_name,
        entity_type,
        registration_date,
        cast(null as decimal(20, 6)) as registered_capital_10k,
        cast(null as {{ text_type() }}) as registered_capital_currency,
        cast(null as {{ text_type() }}) as business_scope,
        '西城' as district_name,
        entity_address
    from {{ ref('staging__civil_affairs__social_organisations') }}
    where uscc is not null
    union all
    select
        uscc,
        'institution' as entity_class,
        entity_name,
        '事业单位' as entity_type,
        registration_date,
        registered_capital_10k,
        'CNY' as registered_capital_currency,
        cast(null as {{ text_type() }}) as business_scope,
        '西城' as district_name,
        entity_address
    from {{ ref('staging__staffing__institutions') }}
    where uscc is not null
),

register_rows as (
    select
        *,
        row_number() over (partition by uscc order by entity_class asc) as place
    from registers
),

registered as (
    select *
    from register_rows
    where place = 1
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

in_registers as (
    select
        coalesce(registered.uscc, listed.uscc) as uscc,
        coalesce(registered.entity_class, 'listed') as entity_class,
        coalesce(registered.entity_name, listed.entity_name) as entity_name,
        coalesce(registered.entity_type, listed.entity_type) as entity_type,
        registered.registration_date,
        registered.registered_capital_10k,
        registered.registered_capital_currency,
        registered.business_scope,
        registered.district_name,
        registered.entity_address,
        coalesce(registered.entity_class = 'enterprise', false) as is_in_register,
        listed.uscc is not null as is_listed,
        case when listed.entity_name <> registered.entity_name then listed.entity_name end as other_name
    from registered
    full outer join listed
        on registered.uscc = listed.uscc
),

elsewhere as (
    select
        aliases.uscc,
        max(aliases.entity_name) as entity_name
    from {{ ref('legal_entity__names') }} as aliases
    left join in_registers
        on aliases.uscc = in_registers.uscc
    where aliases.name_kind = 'alias' and in_registers.uscc is null
    group by aliases.uscc
),

merged as (
    select *
    from in_registers
    union all
    select
        uscc,
        'unregistered' as entity_class,
        entity_name,
        cast(null as {{ text_type() }}) as entity_type,
        cast(null as date) as registration_date,
        cast(null as decimal(20, 6)) as registered_capital_10k,
        cast(null as {{ text_type() }}) as registered_capital_currency,
        cast(null as {{ text_type() }}) as business_scope,
        cast(null as {{ text_type() }}) as district_name,
        cast(null as {{ text_type() }}) as entity_address,
        false as is_in_register,
        false as is_listed,
        cast(null as {{ text_type() }}) as other_name
    from elsewhere
),

penalties as (
    select
        uscc,
        count(*) as penalties_count,
        max(decision_date) as last_penalty_date,
        sum(fine_10k_cny) as fines_10k_cny
    from {{ ref('legal_entity__penalties') }}
    where uscc is not null
    group by uscc
),

licences as (
    select
        uscc,
        count(*) as licences_count
    from {{ ref('legal_entity__licences') }}
    where uscc is not null
    group by uscc
),

abnormal as (
    select distinct uscc
    from {{ ref('legal_entity__abnormal_list') }}
    where uscc is not null and is_current
),

endings as (
    select
        uscc,
        event_kind,
        event_date,
        row_number() over (partition by uscc order by event_date desc, event_id desc) as place
    from {{ ref('legal_entity__life_cycle') }}
    where event_kind in ('revoked', 'deregistered')
),

registrations as (
    select
        uscc,
        max(identifier_number) as registration_number
    from {{ ref('legal_entity__identifiers') }}
    where identifier_kind = 'registration_15'
    group by uscc
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
        coalesce(org_codes.uscc, facts.uscc, links.uscc) as uscc,
        sum(facts.arrears_cny) as tax_arrears_cny
    from {{ ref('staging__tax__arrears') }} as facts
    left join org_codes
        on facts.org_code = org_codes.org_code
    left join {{ ref('legal_entity__name_links') }} as links
        on facts.entity_name = links.source_name
    group by coalesce(org_codes.uscc, facts.uscc, links.uscc)
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
    merged.entity_class,
    merged.entity_name,
    merged.other_name,
    merged.entity_type,
    merged.registration_date,
    merged.registered_capital_10k,
    merged.registered_capital_currency,
    merged.business_scope,
    merged.entity_address,
    coalesce(districts.code, districts_by_short_name.code) as district_code,
    substring(merged.uscc, 3, 6) as authority_area_code,
    substring(merged.uscc, 9, 9) as org_code,
    registrations.registration_number,
    industry.industry_code,
    coalesce(endings.event_kind, 'active') as entity_status,
    endings.event_date as closed_date,
    merged.is_in_register,
    merged.is_listed,
    abnormal.uscc is not null as is_abnormal,
    cast(coalesce(licences.licences_count, 0) as integer) as licences_count,
    cast(coalesce(penalties.penalties_count, 0) as integer) as penalties_count,
    penalties.last_penalty_date,
    cast(penalties.fines_10k_cny as decimal(24, 6)) as fines_10k_cny,
    arrears.uscc is not null as has_tax_arrears,
    cast(arrears.tax_arrears_cny as decimal(24, 3)) as tax_arrears_cny
from merged
left join districts
    on merged.district_name = districts.name
left join districts as districts_by_short_name
    on merged.district_name || '区' = districts_by_short_name.name
left join penalties
    on merged.uscc = penalties.uscc
left join arrears
    on merged.uscc = arrears.uscc
left join licences
    on merged.uscc = licences.uscc
left join abnormal
    on merged.uscc = abnormal.uscc
left join endings
    on merged.uscc = endings.uscc and endings.place = 1
left join registrations
    on merged.uscc = registrations.uscc
left join {{ ref('legal_entity__industry') }} as industry
    on merged.uscc = industry.uscc
