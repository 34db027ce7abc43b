-- noqa: disable=LT02
-- Open disagreements: one row a record and element in which a register says something else than what was chosen,
-- addressed to the department of that register. It closes by itself when the register says the same.
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
{{ config(remade_by='person_key') }}
{%- set elements = ['sex_code', 'birth_date', 'ethnic_code'] %}
with stated as (
    select
        sources.person_key,
        sources.feed_id,
        sources.record_key,
        sources.role,
        sources.change_code,
        sources.says_living,
        sources.stated_date,
        residents.death_date,
        {%- for element in elements %}
        sources.{{ element }},
        residents.{{ element }} as chosen_{{ element }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('population__sources') }} as sources
    inner join {{ ref('population__residents') }} as residents
        on sources.person_key = residents.person_key and {{ of_changed_rows('residents') }}
    where {{ of_changed_rows('sources') }}
),

compared as (
    {%- for element in elements %}
    select
        person_key,
        '{{ element }}' as element,
        feed_id,
        record_key,
        role,
        cast({{ element }} as {{ text_type() }}) as stated_value,
        cast(chosen_{{ element }} as {{ text_type() }}) as chosen_value,
        stated_date
    from stated
    where {{ element }} <> chosen_{{ element }}
    union all
    {%- endfor %}
    select
        person_key,
        'death_date' as element,
        feed_id,
        record_key,
        role,
        'living' as stated_value,
        cast(death_date as {{ text_type() }}) as chosen_value,
        stated_date
    from stated
    where death_date is not null and says_living and change_code is null
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
