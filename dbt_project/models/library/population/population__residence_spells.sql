-- Where a person lived from when to when, and as what: one row a spell, as a resident, as one of the floating
-- population, or gone (left, dead). The last spell of a person has no end.
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
{{ config(remade_by='person_key') }}
with marked as (
    select
        history.person_key,
        history.valid_from_date,
        history.status,
        history.community_code,
        case
            when
                {{ concat_text(['history.status', "'/'", 'history.community_code']) }}
                = lag({{ concat_text(['history.status', "'/'", 'history.community_code']) }}) over (
                    partition by history.person_key order by history.valid_from_date
                )
                then 0
            else 1
        end as is_new
    from {{ ref('population__residents_history') }} as history
    where history.status is not null and {{ of_changed_rows('history') }}
),

starts as (
    select
        person_key,
        valid_from_date,
        status,
        case when status in ('resident', 'floating') then community_code end as community_code
    from marked
    where is_new = 1
)

select
    starts.person_key,
    starts.valid_from_date as from_date,
    lead(starts.valid_from_date) over (
        partition by starts.person_key order by starts.valid_from_date
    ) as to_date,
    starts.status,
    starts.community_code,
    communities.parent as street_code
from starts
left join {{ ref('codes__communities') }} as communities
    on starts.community_code = communities.code
