-- One row a record of a register that writes of an organisation: who it is about, and how that was told.
-- A usable code decides; then the organisation code, the old registration number, and at last the name. Codes damaged
-- by a spreadsheet and numbers of persons are no codes. What stays unlinked has no uscc and is counted all the same.
with records as (
    select
        'market_supervision__penalties' as feed_id,
        decision_number || '|' || party_name as record_id,
        party_name as source_name,
        cast(null as {{ text_type() }}) as stated_uscc,
        cast(null as {{ text_type() }}) as org_code,
        cast(null as {{ text_type() }}) as registration_number,
        cast(null as {{ text_type() }}) as entity_code_kind
    from {{ ref('staging__market_supervision__penalties') }}
    union all
    select
        'market_supervision__abnormal_list' as feed_id,
        entity_name || '|' || cast(listed_date as {{ text_type() }}) as record_id,
        entity_name as source_name,
        cast(null as {{ text_type() }}) as stated_uscc,
        cast(null as {{ text_type() }}) as org_code,
        cast(null as {{ text_type() }}) as registration_number,
        cast(null as {{ text_type() }}) as entity_code_kind
    from {{ ref('staging__market_supervision__abnormal_list') }}
    union all
    select
        'government_services__licences' as feed_id,
        licence_number as record_id,
        entity_name as source_name,
        uscc as stated_uscc,
        cast(null as {{ text_type() }}) as org_code,
        registration_number,
        entity_code_kind
    from {{ ref('staging__government_services__licences') }}
    union all
    select
        'tax__registrations' as feed_id,
        source_record_id as record_id,
        entity_name as source_name,
        uscc as stated_uscc,
        org_code,
        registration_number,
        entity_code_kind
    from {{ ref('staging__tax__registrations') }}
    union all
    select
        'social_security__employers' as feed_id,
        employer_number as record_id,
        entity_name as source_name,
        uscc as stated_uscc,
        org_code,
        registration_number,
        entity_code_kind
    from {{ ref('staging__social_security__employers') }}
),

known as (
    {{ known_entities() }}
)

select
    records.feed_id,
    records.record_id,
    records.source_name,
    records.entity_code_kind,
    coalesce(known.uscc, orgs.uscc, registrations.uscc, links.uscc) as uscc,
    case
        when known.uscc is not null then 'uscc'
        when orgs.uscc is not null then 'org_code'
        when registrations.uscc is not null then 'registration_15'
        when links.uscc is not null then 'name_' || links.link_method
    end as link_method,
    case
        when coalesce(known.uscc, orgs.uscc, registrations.uscc) is not null then cast(1 as decimal(4, 3))
        else links.link_confidence
    end as link_confidence
from records
left join known
    on records.stated_uscc = known.uscc
left join {{ ref('legal_entity__identifiers') }} as orgs
    on records.org_code = orgs.identifier_number and orgs.identifier_kind = 'org_code'
left join {{ ref('legal_entity__identifiers') }} as registrations
    on
        records.registration_number = registrations.identifier_number
        and registrations.identifier_kind = 'registration_15'
left join {{ ref('legal_entity__name_links') }} as links
    on records.source_name = links.source_name
