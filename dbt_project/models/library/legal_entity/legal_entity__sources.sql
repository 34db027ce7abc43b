-- One row a record of a register that writes of an organisation: who it is about, and how that was told.
-- Codes decide (legal_entity.record_codes); then the old registration number, the person behind the record or its day
-- of registration, and at last the name. Numbers of persons are no codes. What stays unlinked has no uscc and is
-- counted all the same.
with records as (
    select
        'market_supervision__penalties' as feed_id,
        decision_number || '|' || party_name as record_id,
        party_name as source_name,
        cast(null as {{ text_type() }}) as entity_code_kind,
        cast(null as {{ text_type() }}) as registration_number,
        cast(null as {{ text_type() }}) as uscc,
        cast(null as {{ text_type() }}) as link_method
    from {{ ref('staging__market_supervision__penalties') }}
    union all
    select
        'market_supervision__abnormal_list' as feed_id,
        entity_name || '|' || cast(listed_date as {{ text_type() }}) as record_id,
        entity_name as source_name,
        cast(null as {{ text_type() }}) as entity_code_kind,
        cast(null as {{ text_type() }}) as registration_number,
        cast(null as {{ text_type() }}) as uscc,
        cast(null as {{ text_type() }}) as link_method
    from {{ ref('staging__market_supervision__abnormal_list') }}
    union all
    select
        feed_id,
        record_id,
        source_name,
        entity_code_kind,
        registration_number,
        uscc,
        link_method
    from {{ ref('legal_entity__record_codes') }}
)

select
    records.feed_id,
    records.record_id,
    records.source_name,
    records.entity_code_kind,
    coalesce(
        case when records.link_method in ('uscc', 'org_code') then records.uscc end,
        registrations.uscc,
        records.uscc,
        links.uscc
    ) as uscc,
    case
        when records.link_method in ('uscc', 'org_code') then records.link_method
        when registrations.uscc is not null then 'registration_15'
        when records.uscc is not null then records.link_method
        when links.uscc is not null then 'name_' || links.link_method
    end as link_method,
    case
        when records.link_method in ('uscc', 'org_code') then cast(1 as decimal(4, 3))
        when registrations.uscc is not null then cast(1 as decimal(4, 3))
        when records.link_method = 'representative' then cast(0.95 as decimal(4, 3))
        when records.link_method = 'registration_date' then cast(0.93 as decimal(4, 3))
        else links.link_confidence
    end as link_confidence
from records
left join {{ ref('legal_entity__identifiers') }} as registrations
    on
        records.registration_number = registrations.identifier_number
        and registrations.identifier_kind = 'registration_15'
left join {{ ref('legal_entity__name_links') }} as links
    on records.source_name = links.source_name
