-- One row a name of an organisation and the day it began: the registered one, those of before, and others it goes by.
-- Former names come from the register of changes; lists that name a code otherwise than its register give aliases, and
-- so do other registers for a code whose own register has no usable row.
with registered as (
    select
        uscc,
        entity_name,
        registration_date
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null
    union all
    select
        uscc,
        entity_name,
        registration_date
    from {{ ref('staging__civil_affairs__social_organisations') }}
    where uscc is not null
    union all
    select
        uscc,
        entity_name,
        registration_date
    from {{ ref('staging__staffing__institutions') }}
    where uscc is not null
),

renamings as (
    select
        uscc,
        value_before as entity_name,
        approval_date as valid_to,
        lag(approval_date) over (partition by uscc order by approval_date asc, entity_change_id asc) as previous_date,
        row_number() over (partition by uscc order by approval_date desc, entity_change_id desc) as place
    from {{ ref('staging__market_supervision__changes') }}
    where entity_change_code = '1' and value_before is not null
),

listed_rows as (
    select
        uscc,
        entity_name,
        row_number() over (
            partition by uscc, entity_name
            order by source_updated_at desc, source_record_id asc
        ) as place
    from {{ ref('staging__market_supervision__listed_companies') }}
    where uscc is not null
),

listed as (
    select
        listed_rows.uscc,
        listed_rows.entity_name
    from listed_rows
    left join registered
        on listed_rows.uscc = registered.uscc
    where
        listed_rows.place = 1
        and (
            registered.uscc is null
            or {{ name_key('registered.entity_name') }} <> {{ name_key('listed_rows.entity_name') }}
        )
),

seen as (
    select
        uscc,
        entity_name,
        1 as place_of_source
    from {{ ref('staging__market_supervision__changes') }}
    union all
    select
        uscc,
        entity_name,
        2 as place_of_source
    from {{ ref('staging__tax__registrations') }}
    union all
    select
        uscc,
        entity_name,
        3 as place_of_source
    from {{ ref('staging__social_security__employers') }}
    union all
    select
        uscc,
        entity_name,
        4 as place_of_source
    from {{ ref('staging__government_services__licences') }}
),

unregistered as (
    select
        seen.uscc,
        seen.entity_name,
        row_number() over (
            partition by seen.uscc
            order by seen.place_of_source asc, length(seen.entity_name) desc, seen.entity_name asc
        ) as place
    from seen
    left join registered
        on seen.uscc = registered.uscc
    left join listed_rows
        on seen.uscc = listed_rows.uscc and listed_rows.place = 1
    where
        seen.uscc is not null
        and seen.entity_name is not null
        and registered.uscc is null
        and listed_rows.uscc is null
),

all_names as (
    select
        registered.uscc,
        registered.entity_name,
        'registered' as name_kind,
        coalesce(renamings.valid_to, registered.registration_date) as valid_from,
        cast(null as date) as valid_to
    from registered
    left join renamings
        on registered.uscc = renamings.uscc and renamings.place = 1
    union all
    select
        renamings.uscc,
        renamings.entity_name,
        'former' as name_kind,
        coalesce(renamings.previous_date, registered.registration_date) as valid_from,
        renamings.valid_to
    from renamings
    left join registered
        on renamings.uscc = registered.uscc
    union all
    select
        uscc,
        entity_name,
        'alias' as name_kind,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to
    from listed
    union all
    select
        uscc,
        entity_name,
        'alias' as name_kind,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to
    from unregistered
    where place = 1
)

select
    uscc || '-' || name_kind || '-' || entity_name
    || coalesce('-' || cast(valid_to as {{ text_type() }}), '') as name_id,
    uscc,
    entity_name,
    name_kind,
    valid_from,
    valid_to,
    {{ name_key('entity_name') }} as name_key
from all_names
