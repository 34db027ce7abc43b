-- The busiest streets of each month with what they are asked about most.
with topics as (
    select
        street_code,
        month,
        category_1,
        category_2,
        count(*) as topic_orders,
        row_number() over (
            partition by street_code, month
            order by count(*) desc, category_1 asc, coalesce(category_2, '')
        ) as place
    from {{ ref('hotline__response_times') }}
    where not is_excluded
    group by street_code, month, category_1, category_2
)

select
    streets.month,
    streets.heat_rank,
    streets.street_code,
    streets.street_name,
    streets.orders_count,
    streets.orders_growth_pct,
    topics.category_1 as top_category_1,
    topics.category_2 as top_category_2,
    cast(topics.topic_orders as integer) as top_category_orders_count,
    {{ pct('topics.topic_orders', 'streets.assessed_count') }} as top_category_share_pct
from {{ ref('hotline__street_monthly') }} as streets
left join topics
    on
        streets.street_code = topics.street_code
        and streets.month = topics.month
        and topics.place = 1
where streets.is_hot
