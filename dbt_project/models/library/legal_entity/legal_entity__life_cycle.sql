-- One row an event in the life of an organisation. What changed of names stands in legal_entity.names.
with established as (
    select
        uscc,
        registration_date
    from {{ ref('staging__market_supervision__enterprises') }}
    union all
    select
        uscc,
        registration_date
    from {{ ref('staging__civil_affairs__social_organisations') }}
    union all
    select
        uscc,
        registration_date
    from {{ ref('staging__staffing__institutions') }}
)

select
    uscc || '-established' as event_id,
    uscc,
    'established' as event_kind,
    registration_date as event_date
from established
where uscc is not null and registration_date is not null
union all
select
    entity_change_id as event_id,
    uscc,
    case entity_change_code
        when '1' then 'renamed'
        when '2' then 'moved'
        when '3' then 'representative_changed'
        when '4' then 'capital_changed'
        when '8' then 'revoked'
        when '9' then 'deregistered'
    end as event_kind,
    approval_date as event_date
from {{ ref('staging__market_supervision__changes') }}
where uscc is not null
union all
select
    uscc || '-listed-' || source_name || '-' || cast(listed_date as {{ text_type() }}) as event_id,
    uscc,
    'abnormal_listed' as event_kind,
    listed_date as event_date
from {{ ref('legal_entity__abnormal_list') }}
where uscc is not null
union all
select
    uscc || '-delisted-' || source_name || '-' || cast(listed_date as {{ text_type() }}) as event_id,
    uscc,
    'abnormal_delisted' as event_kind,
    delisted_date as event_date
from {{ ref('legal_entity__abnormal_list') }}
where uscc is not null and delisted_date is not null
