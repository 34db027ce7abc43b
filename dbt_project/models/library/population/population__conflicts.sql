-- noqa: disable=LT02
-- Open disagreements: one row a record and element in which a register says something else than what was chosen,
-- addressed to the department of that register. It closes by itself when the register says the same.
-- depends_on: {{ ref('staging__platform__person_identities') }}
{{ config(remade_by='person_key') }}
{%- set elements = ['sex_code', 'birth_date', 'ethnic_code'] %}
with compared as (
    {%- for element in elements %}
    select
        sources.person_key,
        '{{ element }}' as element,
        sources.feed_id,
        sources.record_key,
        sources.role,
        cast(sources.{{ element }} as {{ text_type() }}) as stated_value,
        cast(residents.{{ element }} as {{ text_type() }}) as chosen_value,
        sources.stated_date
    from {{ ref('population__sources') }} as sources
    inner join {{ ref('population__residents') }} as residents
        on sources.person_key = residents.person_key
    where
        sources.{{ element }} <> residents.{{ element }}
        and {{ of_changed_persons('sources.person_key') }}
    union all
    {%- endfor %}
    select
        sources.person_key,
        'death_date' as element,
        sources.feed_id,
        sources.record_key,
        sources.role,
        'living' as stated_value,
        cast(residents.death_date as {{ text_type() }}) as chosen_value,
        sources.stated_date
    from {{ ref('population__sources') }} as sources
    inner join {{ ref('population__residents') }} as residents
        on sources.person_key = residents.person_key
    where
        residents.death_date is not null and sources.says_living and sources.change_code is null
        and {{ of_changed_persons('sources.person_key') }}
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
