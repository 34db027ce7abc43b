-- Who is, or was, in which household: one row a person and household, by the household register and its changes.
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
{{ config(remade_by='person_key') }}
with stated as (
    select
        sources.person_key,
        sources.household_key,
        max_by(
            sources.family_relation_code,
            {{ statement_rank('sources.family_relation_code', '0', 'sources.stated_date') }}
        ) as family_relation_code,
        min(coalesce(sources.event_date, sources.stated_date)) as first_stated_date,
        max(sources.stated_date) as last_stated_date
    from {{ ref('population__sources') }} as sources
    where sources.household_key is not null and {{ of_changed_rows('sources') }}
    group by sources.person_key, sources.household_key
)

select
    stated.person_key,
    stated.household_key,
    stated.family_relation_code,
    stated.first_stated_date,
    stated.last_stated_date,
    coalesce(residents.household_key = stated.household_key and residents.status = 'resident', false) as is_current
from stated
inner join {{ ref('population__residents') }} as residents
    on stated.person_key = residents.person_key and {{ of_changed_rows('residents') }}
