-- One row a record of a register that writes of an organisation beside its name a code: who that is, as far as it is
-- told by something else than the name. A usable code decides; then the organisation code; then the person whose number
-- stands where the code should: the head of one organisation of that name, or, where nobody knows the name, of one
-- organisation that has none; then the day of registration, where the name of one organisation registered on it begins
-- as this one does. Codes damaged by a spreadsheet are no codes.
with records as (
    select
        'government_services__licences' as feed_id,
        licence_number as record_id,
        entity_name as source_name,
        {{ entity_name_key('entity_name') }} as name_key,
        uscc as stated_uscc,
        org_code,
        registration_number,
        holder_resident_key,
        cast(null as date) as registration_date,
        entity_code_kind
    from {{ ref('staging__government_services__licences') }}
    union all
    select
        'tax__registrations' as feed_id,
        source_record_id as record_id,
        entity_name as source_name,
        {{ entity_name_key('entity_name') }} as name_key,
        uscc as stated_uscc,
        org_code,
        registration_number,
        holder_resident_key,
        registration_date,
        entity_code_kind
    from {{ ref('staging__tax__registrations') }}
    union all
    select
        'social_security__employers' as feed_id,
        employer_number as record_id,
        entity_name as source_name,
        {{ entity_name_key('entity_name') }} as name_key,
        uscc as stated_uscc,
        org_code,
        registration_number,
        holder_resident_key,
        cast(null as date) as registration_date,
        entity_code_kind
    from {{ ref('staging__social_security__employers') }}
),

known as (
    {{ known_entities() }}
),

org_codes as (
    select
        substring(uscc, 9, 9) as org_code,
        max(uscc) as uscc
    from known
    group by substring(uscc, 9, 9)
    having count(*) = 1
),

registered as (
    select
        uscc,
        {{ entity_name_key('entity_name') }} as name_key,
        registration_date
    from {{ ref('staging__market_supervision__enterprises') }}
    where uscc is not null and entity_name is not null
    union
    select
        uscc,
        {{ entity_name_key('entity_name') }} as name_key,
        registration_date
    from {{ ref('staging__civil_affairs__social_organisations') }}
    where uscc is not null and entity_name is not null
    union
    select
        uscc,
        {{ entity_name_key('entity_name') }} as name_key,
        registration_date
    from {{ ref('staging__staffing__institutions') }}
    where uscc is not null and entity_name is not null
),

called as (
    select
        uscc,
        name_key
    from registered
    union
    select
        uscc,
        {{ entity_name_key('entity_name') }} as name_key
    from {{ ref('staging__market_supervision__changes') }}
    where uscc is not null and entity_name is not null
    union
    select
        uscc,
        {{ entity_name_key('value_before') }} as name_key
    from {{ ref('staging__market_supervision__changes') }}
    where uscc is not null and entity_change_code = '1' and value_before is not null
    union
    select
        stated_uscc as uscc,
        name_key
    from records
    where stated_uscc is not null and name_key is not null
),

heads as (
    select distinct
        resident_key,
        uscc
    from {{ ref('staging__market_supervision__key_persons') }}
    where resident_key is not null and uscc is not null and position_name = '法定代表人'
),

headed as (
    select
        records.feed_id,
        records.record_id,
        heads.uscc,
        max(
            case
                when called.uscc is null then 0
                when {{ is_name_or_short_for('records.name_key', 'called.name_key') }} then 2
                when {{ is_name_or_short_for('called.name_key', 'records.name_key') }} then 2
                else 1
            end
        ) as fit
    from records
    inner join heads
        on records.holder_resident_key = heads.resident_key
    left join called
        on heads.uscc = called.uscc
    where records.name_key is not null
    group by records.feed_id, records.record_id, heads.uscc
),

representatives as (
    select
        feed_id,
        record_id,
        sum(case when fit = 2 then 1 else 0 end) as of_this_name,
        max(case when fit = 2 then uscc end) as of_this_name_uscc,
        sum(case when fit = 0 then 1 else 0 end) as without_name,
        max(case when fit = 0 then uscc end) as without_name_uscc
    from headed
    group by feed_id, record_id
),

same_day as (
    select
        records.feed_id,
        records.record_id,
        max(registered.uscc) as uscc
    from records
    inner join registered
        on
            records.registration_date = registered.registration_date
            and position(records.name_key in registered.name_key) = 1
            and position('公司' in records.name_key) = 0
    where length({{ regexp_replace_all('records.name_key', '^(中国|北京市?|西城区?)+', '') }}) >= 2
    group by records.feed_id, records.record_id
    having count(distinct registered.uscc) = 1
),

names_taken as (
    select distinct name_key
    from registered
),

told as (
    select
        records.feed_id,
        records.record_id,
        records.source_name,
        records.entity_code_kind,
        records.registration_number,
        known.uscc as stated_uscc,
        org_codes.uscc as org_code_uscc,
        case
            when representatives.of_this_name = 1 then representatives.of_this_name_uscc
            when
                representatives.of_this_name = 0 and representatives.without_name = 1 and names_taken.name_key is null
                then representatives.without_name_uscc
        end as representative_uscc,
        case when names_taken.name_key is null then same_day.uscc end as same_day_uscc
    from records
    left join known
        on records.stated_uscc = known.uscc
    left join org_codes
        on records.org_code = org_codes.org_code
    left join representatives
        on records.feed_id = representatives.feed_id and records.record_id = representatives.record_id
    left join same_day
        on records.feed_id = same_day.feed_id and records.record_id = same_day.record_id
    left join names_taken
        on records.name_key = names_taken.name_key
)

select
    feed_id,
    record_id,
    source_name,
    entity_code_kind,
    registration_number,
    coalesce(stated_uscc, org_code_uscc, representative_uscc, same_day_uscc) as uscc,
    case
        when stated_uscc is not null then 'uscc'
        when org_code_uscc is not null then 'org_code'
        when representative_uscc is not null then 'representative'
        when same_day_uscc is not null then 'registration_date'
    end as link_method
from told
