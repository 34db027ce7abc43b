-- One row a name of an organisation and the day it began: the registered one, those of before, and others it goes by.
-- Former names come from the register of changes; lists that name a code otherwise than its register give aliases, and
-- so do other registers for a code whose own register has no usable row. What else they write is mentioned.
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
    where uscc is not null and entity_name is not null
    union all
    select
        uscc,
        source_name as entity_name,
        case feed_id
            when 'tax__registrations' then 2
            when 'social_security__employers' then 3
            else 4
        end as place_of_source
    from {{ ref('legal_entity__record_codes') }}
    where uscc is not null and source_name is not null
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
    where registered.uscc is null and listed_rows.uscc is null
),

kept as (
    select
        uscc,
        {{ entity_name_key('entity_name') }} as short_key
    from registered
    union
    select
        uscc,
        {{ entity_name_key('entity_name') }} as short_key
    from renamings
    union
    select
        uscc,
        {{ entity_name_key('entity_name') }} as short_key
    from listed
    union
    select
        uscc,
        {{ entity_name_key('entity_name') }} as short_key
    from unregistered
    where place = 1
),

taken as (
    select distinct {{ entity_name_key('entity_name') }} as short_key
    from registered
),

others as (
    select
        uscc,
        {{ entity_name_key('entity_name') }} as short_key,
        min(entity_name) as entity_name
    from seen
    group by uscc, {{ entity_name_key('entity_name') }}
),

said_already as (
    select distinct
        others.uscc,
        others.short_key
    from others
    inner join kept
        on others.uscc = kept.uscc
    where position(others.short_key in kept.short_key) > 0
),

-- what another register writes beside the code; an abbreviation of a name there is says nothing new
mentioned as (
    select
        others.uscc,
        others.entity_name
    from others
    left join said_already
        on others.uscc = said_already.uscc and others.short_key = said_already.short_key
    left join taken
        on others.short_key = taken.short_key
    where said_already.uscc is null and taken.short_key is null
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
    union all
    select
        uscc,
        entity_name,
        'mentioned' as name_kind,
        cast(null as date) as valid_from,
        cast(null as date) as valid_to
    from mentioned
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
