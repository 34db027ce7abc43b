-- noqa: disable=LT02
-- One row a person known to the district: registered here (resident), living here registered elsewhere (floating), or
-- known to other registers only (other). Each value is from the register with authority over it, the newest among
-- equals; birth and sex are those of the resident ID where linking believes it. Names, numbers, phones are not here.
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
{{ config(remade_by='person_key') }}
{%- set elements = ['sex_code', 'birth_date', 'ethnic_code', 'education_code', 'marital_code', 'community_code',
    'death_date', 'household_key'] %}
{#- a household and the relation to its head are of one record: among equals that number decides first -#}
{%- set relation = value_number('sources.family_relation_code') ~ ' % 1000 * 100000' %}
{%- set numbers = {'household_key': relation ~ ' + ' ~ value_number('sources.household_key') ~ ' % 100000'} %}
with authority as (
    select
        feed_id,
        {%- for element in elements %}
        {{ authority_place(element) }} as {{ element }}_place{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('authority') }}
    group by feed_id
),

ranked as (
    select
        sources.*,
        {%- for element in elements %}
        {%- set place = 'authority.' ~ element ~ '_place' %}
        {{ statement_rank('sources.' ~ element, place, 'sources.stated_date', numbers.get(element)) }}
            as {{ element }}_rank,
        {%- endfor %}
        {{ statement_rank('sources.household_key', 'authority.household_key_place', 'sources.stated_date', relation) }}
            as family_relation_rank
    from {{ ref('population__sources') }} as sources
    left join authority
        on sources.feed_id = authority.feed_id
    where {{ of_changed_rows('sources') }}
),

chosen as (
    select
        person_key,
        {%- for element in elements %}
        max_by({{ element }}, {{ element }}_rank) as {{ element }},
        {%- endfor %}
        max_by(family_relation_code, family_relation_rank) as family_relation_code,
        max(case when feed_id = 'public_security__household' then stated_date end) as household_date,
        max(case when feed_id = 'public_security__household' then community_code end) as household_community_code,
        max(case when feed_id = 'public_security__floating_population' then event_date end) as arrival_date,
        max(case when feed_id = 'public_security__floating_population' then stated_date end) as floating_date,
        max(case when change_code = '4' then event_date end) as left_date,
        max(case when change_code in ('1', '2', '3') then event_date end) as came_date,
        max(stated_date) as source_updated_date,
        max(changed_run) as changed_run,
        cast(count(*) as integer) as records_count,
        cast(count(distinct feed_id) as integer) as registers_count
    from ranked
    group by person_key
),

placed as (
    select
        chosen.*,
        identities.resident_key,
        coalesce(identities.is_identified, false) as is_identified,
        case when identities.is_identified then identities.sex_code end as sex_code_of_id,
        case when identities.is_identified then identities.birth_date end as birth_date_of_id,
        chosen.left_date is not null
        and chosen.left_date >= coalesce(chosen.came_date, chosen.left_date)
        and chosen.left_date >= coalesce(chosen.floating_date, chosen.left_date) as has_left
    from chosen
    left join {{ ref('staging__platform__person_identities') }} as identities
        on chosen.person_key = identities.person_key and {{ of_changed_rows('identities') }}
)

select
    placed.person_key,
    placed.resident_key,
    case
        when placed.household_date is not null then 'resident'
        when placed.floating_date is not null then 'floating'
        else 'other'
    end as kind,
    case
        when placed.death_date is not null then 'dead'
        when placed.has_left then 'left'
        when placed.household_date is not null then 'resident'
        when placed.floating_date is not null then 'floating'
        else 'other'
    end as status,
    coalesce(placed.sex_code_of_id, placed.sex_code) as sex_code,
    placed.ethnic_code,
    coalesce(placed.birth_date_of_id, placed.birth_date) as birth_date,
    placed.education_code,
    placed.marital_code,
    placed.household_key,
    placed.family_relation_code,
    placed.community_code,
    communities.parent as street_code,
    placed.household_community_code as registered_community_code,
    placed.arrival_date,
    placed.death_date,
    placed.household_date is not null as is_in_household_register,
    placed.floating_date is not null as is_in_floating_register,
    placed.is_identified,
    placed.records_count,
    placed.registers_count,
    placed.source_updated_date,
    placed.changed_run
from placed
left join {{ ref('codes__communities') }} as communities
    on placed.community_code = communities.code
