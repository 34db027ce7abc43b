-- noqa: disable=LT02
-- Which register said what of whom: one row a person of a record, as the register states it, brought to one shape.
-- Nothing is chosen here: population.residents chooses, population.conflicts shows where registers disagree.
-- What the loop below reads, for those who read this text and not what it compiles to:
-- depends_on: {{ ref('staging__civil_affairs__deaths') }}
-- depends_on: {{ ref('staging__civil_affairs__marriages') }}
-- depends_on: {{ ref('staging__disabled_federation__certificates') }}
-- depends_on: {{ ref('staging__education__students') }}
-- depends_on: {{ ref('staging__health__records') }}
-- depends_on: {{ ref('staging__housing__occupants') }}
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
-- depends_on: {{ ref('staging__public_security__floating_population') }}
-- depends_on: {{ ref('staging__public_security__household') }}
-- depends_on: {{ ref('staging__public_security__household_changes') }}
-- depends_on: {{ ref('staging__social_security__insured') }}
{{ config(remade_by='person_key') }}
{%- set text, day, whole, yes = 'cast(null as ' ~ text_type() ~ ')', 'cast(null as date)', 'cast(null as integer)',
    'cast(true as boolean)' %}
{%- set nothing = {
    'sex_code': text, 'birth_date': day, 'birth_year': whole, 'ethnic_code': text, 'education_code': text,
    'marital_code': text, 'household_key': text, 'family_relation_code': text, 'community_code': text,
    'community_name': text, 'change_code': text, 'event_date': day, 'death_date': day, 'says_living': yes} %}
{%- set married = "case marriage_event_code when '1' then '20' when '2' then '40' end" %}
{%- set registers = [
    ('public_security__household', 'self', 'resident_key', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'ethnic_code': 'ethnic_code',
        'education_code': 'education_code', 'marital_code': 'marital_code', 'household_key': 'household_key',
        'family_relation_code': 'family_relation_code', 'community_code': 'community_code'}),
    ('public_security__floating_population', 'self', 'resident_key', 'registration_date', {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'event_date': 'arrival_date',
        'community_name': "street_name || '/' || community_name"}),
    ('public_security__household_changes', 'self', 'household_change_id', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'household_key': 'household_key',
        'community_code': "case when household_change_code in ('1', '2', '3') then community_code end",
        'change_code': 'household_change_code', 'event_date': 'change_date',
        'death_date': "case when household_change_code = '5' then change_date end",
        'says_living': "household_change_code <> '5'"}),
    ('civil_affairs__deaths', 'self', 'death_certificate_number', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'death_date': 'death_date',
        'says_living': 'cast(false as boolean)'}),
    ('civil_affairs__marriages', 'husband', 'marriage_number', local_date('updated_at'), {
        'sex_code': "'1'", 'birth_date': 'husband_birth_date', 'marital_code': married,
        'event_date': 'registration_date', 'says_living': 'cast(null as boolean)'}),
    ('civil_affairs__marriages', 'wife', 'marriage_number', local_date('updated_at'), {
        'sex_code': "'2'", 'birth_date': 'wife_birth_date', 'marital_code': married,
        'event_date': 'registration_date', 'says_living': 'cast(null as boolean)'}),
    ('social_security__insured', 'self', 'insured_number', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'says_living': "insured_status_code <> '4'"}),
    ('health__records', 'self', 'health_record_number', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'ethnic_code': 'ethnic_code',
        'community_code': 'community_code', 'says_living': "health_record_status_code in ('1', '9')"}),
    ('education__students', 'self', 'student_number', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date'}),
    ('disabled_federation__certificates', 'self', 'certificate_key', local_date('updated_at'), {
        'sex_code': 'sex_code', 'birth_date': 'birth_date', 'community_name': "'/' || community_name"}),
    ('housing__occupants', 'self', 'occupancy_number', local_date('updated_at'), {
        'birth_year': 'cast(birth_year as integer)', 'community_name': "'/' || community_name"})] %}
with names as (
    select
        {{ division_key('name') }} as name_key,
        min(code) as community_code
    from {{ ref('codes__communities') }}
    where valid_to is null
    group by {{ division_key('name') }}
    having count(*) = 1
),

full_names as (
    select
        {{ division_key('streets.name') }} as street_key,
        {{ division_key('communities.name') }} as name_key,
        min(communities.code) as community_code
    from {{ ref('codes__communities') }} as communities
    inner join {{ ref('codes__streets') }} as streets
        on communities.parent = streets.code
    group by {{ division_key('streets.name') }}, {{ division_key('communities.name') }}
),

stated as (
    {%- for feed, role, key, stated, columns in registers %}
    select
        '{{ feed }}' as feed_id,
        cast({{ key }} as {{ text_type() }}) as record_key,
        '{{ role }}' as role,
        {{ stated }} as stated_date,
        {%- for name, empty in nothing.items() %}
        {{ columns.get(name, empty) }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('staging__' ~ feed) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- persons first: on a day only the records of those that changed are looked into
linked as (
    select
        links.person_key,
        links.method,
        links.weight,
        identities.changed_run,
        stated.*
    from stated
    inner join {{ ref('staging__platform__person_links') }} as links
        on
            stated.feed_id = links.feed_id
            and stated.record_key = links.record_key
            and stated.role = links.role
    inner join {{ ref('staging__platform__person_identities') }} as identities
        on links.person_key = identities.person_key
    where {{ of_changed_rows('identities') }}
),

placed as (
    select
        linked.*,
        coalesce(linked.community_code, full_names.community_code, names.community_code) as found_community_code
    from linked
    left join full_names
        on
            {{ division_key("substring(linked.community_name, 1, position('/' in linked.community_name) - 1)") }}
            = full_names.street_key
            and {{ division_key("substring(linked.community_name, position('/' in linked.community_name) + 1)") }}
            = full_names.name_key
    left join names
        on
            {{ division_key("substring(linked.community_name, position('/' in linked.community_name) + 1)") }}
            = names.name_key
)

select
    person_key,
    feed_id,
    record_key,
    role,
    method,
    weight,
    sex_code,
    birth_date,
    birth_year,
    ethnic_code,
    education_code,
    marital_code,
    household_key,
    family_relation_code,
    found_community_code as community_code,
    change_code,
    event_date,
    death_date,
    says_living,
    stated_date,
    changed_run
from placed
