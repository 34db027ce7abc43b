-- How fast each order was answered. Clocks start at dispatch (at the call where an order was not dispatched apart).
-- An order is contacted in time within the shorter of its own limit and the var hotline_contact_limit_hours.
with orders as (
    select
        order_id,
        called_at,
        {{ local_date('called_at') }} as called_date,
        street_code,
        community_name,
        category_1,
        category_2,
        category_3,
        livelihood_class_code,
        handler_name,
        time_limit_hours,
        coalesce(dispatched_at, called_at) as started_at,
        contacted_at,
        closed_at,
        is_excluded_code,
        is_resolved_code,
        satisfaction_code
    from {{ ref('staging__hotline__work_orders') }}
),

clocked as (
    select
        *,
        {{ hours_between('started_at', 'contacted_at') }} as contact_hours,
        {{ hours_between('started_at', 'closed_at') }} as handling_hours,
        least(
            {{ var('hotline_contact_limit_hours', 24) }},
            coalesce(time_limit_hours, {{ var('hotline_contact_limit_hours', 24) }})
        ) as contact_limit_hours
    from orders
)

select
    order_id,
    called_date,
    {{ month_start('called_date') }} as month,
    street_code,
    community_name,
    category_1,
    category_2,
    category_3,
    livelihood_class_code,
    handler_name,
    time_limit_hours,
    round(contact_hours, 3) as contact_hours,
    round(handling_hours, 3) as handling_hours,
    coalesce(contact_hours <= contact_limit_hours, false) as is_contacted_in_time,
    case
        when time_limit_hours is not null then coalesce(handling_hours <= time_limit_hours, false)
    end as is_closed_in_time,
    closed_at is not null as is_closed,
    case is_resolved_code when '1' then true when '0' then false end as is_resolved,
    case when satisfaction_code in ('1', '2') then true when satisfaction_code = '3' then false end as is_satisfied,
    is_excluded_code = '1' as is_excluded
from clocked
