-- noqa: disable=LT02
-- Open disagreements: one row a record and element in which a register says something else than what was chosen,
-- addressed to the department of that register. It closes by itself when the register says the same.
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
{{ config(remade_by='person_key') }}
{%- set elements = ['sex_code', 'birth_date', 'ethnic_code'] %}
with stated as (
    select
        person_key,
        {%- for element in elements %}
        {{ element }},
        {%- endfor %}
        feed_id,
        record_key,
        role,
        change_code,
        says_living,
        stated_date
    from {{ ref('population__sources') }}
    where {{ of_changed_persons('person_key') }}
),

compared as (
    {%- for element in elements %}
    select
        stated.person_key,
        '{{ element }}' as element,
        stated.feed_id,
        stated.record_key,
        stated.role,
        cast(stated.{{ element }} as {{ text_type() }}) as stated_value,
        cast(residents.{{ element }} as {{ text_type() }}) as chosen_value,
        stated.stated_date
    from stated
    inner join {{ ref('population__residents') }} as residents
        on stated.person_key = residents.person_key
    where stated.{{ element }} <> residents.{{ element }}
    union all
    {%- endfor %}
    select
        stated.person_key,
        'death_date' as element,
        stated.feed_id,
        stated.record_key,
        stated.role,
        'living' as stated_value,
        cast(residents.death_date as {{ text_type() }}) as chosen_value,
        stated.stated_date
    from stated
    inner join {{ ref('population__residents') }} as residents
        on stated.person_key = residents.person_key
    where
        residents.death_date is not null and stated.says_living and stated.change_code is null
)

select
    compared.person_key,
    compared.element,
    compared.feed_id,
    compared.record_key,
    compared.role,
    compared.stated_value,
    compared.chosen_value,
    feeds.department_code,
    feeds.department_name,
    compared.stated_date
from compared
inner join {{ ref('scoring__feeds') }} as feeds
    on compared.feed_id = feeds.feed_id
