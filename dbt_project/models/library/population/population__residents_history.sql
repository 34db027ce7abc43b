-- noqa: disable=LT02
-- How a person stood at any day: one row a person and day on which something changed, valid from that day to the day
-- before the next. Made of dated events (arrivals, moves, departures, marriages, deaths) and of the registers' entries.
-- depends_on: {{ ref('staging__platform__person_identities') }}
-- depends_on: {{ ref('staging__platform__person_redirects') }}
{{ config(remade_by='person_key') }}
with deaths as (
    select
        residents.person_key,
        residents.death_date
    from {{ ref('population__residents') }} as residents
    where residents.death_date is not null and {{ of_changed_rows('residents') }}
),

events as (
    select
        sources.person_key,
        coalesce(sources.event_date, sources.death_date, sources.stated_date) as event_date,
        case
            when sources.death_date is not null then '5dead'
            when sources.change_code = '4' then '4left'
            when sources.change_code in ('1', '2', '3') then '3resident'
            when sources.feed_id = 'public_security__household' then '3resident'
            when sources.feed_id = 'public_security__floating_population' then '2floating'
        end as state,
        case
            when sources.feed_id in (
                'public_security__household', 'public_security__household_changes',
                'public_security__floating_population'
            ) then sources.community_code
        end as community_code,
        sources.marital_code,
        sources.changed_run
    from {{ ref('population__sources') }} as sources
    where
        coalesce(sources.event_date, sources.death_date, sources.stated_date) is not null
        and sources.feed_id in (
            'public_security__household', 'public_security__household_changes',
            'public_security__floating_population', 'civil_affairs__marriages', 'civil_affairs__deaths'
        )
        and {{ of_changed_rows('sources') }}
),

days as (
    select
        events.person_key,
        events.event_date,
        max(events.state) as state,
        max(events.community_code) as community_code,
        max(events.marital_code) as marital_code,
        max(events.changed_run) as changed_run
    from events
    left join deaths
        on events.person_key = deaths.person_key
    where deaths.death_date is null or events.event_date <= deaths.death_date
    group by events.person_key, events.event_date
),

spans as (
    select
        person_key,
        event_date,
        state,
        community_code,
        marital_code,
        changed_run,
        count(state) over (partition by person_key order by event_date) as state_span,
        count(community_code) over (partition by person_key order by event_date) as community_span,
        count(marital_code) over (partition by person_key order by event_date) as marital_span
    from days
),

filled as (
    select
        person_key,
        event_date,
        max(state) over (partition by person_key, state_span) as state,
        max(community_code) over (partition by person_key, community_span) as community_code,
        max(marital_code) over (partition by person_key, marital_span) as marital_code,
        changed_run
    from spans
),

compared as (
    select
        person_key,
        event_date,
        substring(state, 2) as status,
        community_code,
        marital_code,
        changed_run,
        {{ concat_text(['state', "'/'", 'community_code', "'/'", 'marital_code']) }} as said,
        lag({{ concat_text(['state', "'/'", 'community_code', "'/'", 'marital_code']) }}) over (
            partition by person_key order by event_date
        ) as said_before
    from filled
)

select
    person_key,
    event_date as valid_from_date,
    lead(event_date) over (partition by person_key order by event_date) as valid_to_date,
    status,
    community_code,
    marital_code,
    changed_run
from compared
where said_before is null or said <> said_before
