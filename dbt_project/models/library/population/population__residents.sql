-- One row a person known to the district: registered here (resident) or living here registered elsewhere (floating).
-- Identity, family and schooling come from the household register; residence from whichever source is newer.
-- Persons are told apart by the keyed pseudonym of their resident ID; names, numbers and phones are not here.
with household_rows as (
    select
        resident_key,
        sex_code,
        ethnic_code,
        birth_date,
        household_number,
        family_relation_code,
        education_code,
        marital_code,
        community_code,
        updated_at as source_updated_at,
        row_number() over (partition by resident_key order by updated_at desc, household_number asc) as place
    from {{ ref('staging__public_security__household') }}
    where resident_key is not null
),

household as (
    select *
    from household_rows
    where place = 1
),

floating_rows as (
    select
        people.resident_key,
        people.sex_code,
        people.birth_date,
        people.arrival_date,
        people.registration_date,
        communities.code as community_code,
        row_number() over (
            partition by people.resident_key
            order by people.registration_date desc, communities.code asc
        ) as place
    from {{ ref('staging__public_security__floating_population') }} as people
    left join {{ ref('codes__streets') }} as streets
        on {{ division_key('people.street_name') }} = {{ division_key('streets.name') }}
    left join {{ ref('codes__communities') }} as communities
        on
            streets.code = communities.parent
            and {{ division_key('people.community_name') }} = {{ division_key('communities.name') }}
    where people.resident_key is not null
),

floating as (
    select *
    from floating_rows
    where place = 1
),

merged as (
    select
        coalesce(household.resident_key, floating.resident_key) as resident_key,
        case when household.resident_key is not null then 'resident' else 'floating' end as kind,
        coalesce(household.sex_code, floating.sex_code) as sex_code,
        household.ethnic_code,
        coalesce(household.birth_date, floating.birth_date) as birth_date,
        household.household_number as household_key,
        household.family_relation_code,
        household.education_code,
        household.marital_code,
        household.community_code as registered_community_code,
        case
            when floating.community_code is null then household.community_code
            when household.resident_key is null then floating.community_code
            when floating.registration_date > {{ local_date('household.source_updated_at') }}
                then floating.community_code
            else household.community_code
        end as community_code,
        floating.arrival_date,
        household.resident_key is not null as is_in_household_register,
        floating.resident_key is not null as is_in_floating_register,
        case
            when floating.registration_date is null then {{ local_date('household.source_updated_at') }}
            when household.source_updated_at is null then floating.registration_date
            else greatest({{ local_date('household.source_updated_at') }}, floating.registration_date)
        end as source_updated_date
    from household
    full outer join floating
        on household.resident_key = floating.resident_key
)

select
    merged.resident_key,
    merged.kind,
    merged.sex_code,
    merged.ethnic_code,
    merged.birth_date,
    merged.education_code,
    merged.marital_code,
    merged.household_key,
    merged.family_relation_code,
    merged.community_code,
    communities.parent as street_code,
    merged.registered_community_code,
    merged.arrival_date,
    merged.is_in_household_register,
    merged.is_in_floating_register,
    merged.source_updated_date
from merged
left join {{ ref('codes__communities') }} as communities
    on merged.community_code = communities.code
