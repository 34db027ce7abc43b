-- What people call about: each third-level topic and month, its share, growth and whether it is one of the
-- month's high-frequency topics. Excluded orders do not count.
with counted as (
    select
        month,
        category_1,
        coalesce(category_2, '未分类') as category_2,
        coalesce(category_3, '未分类') as category_3,
        count(*) as orders_count,
        count(distinct street_code) as streets_count,
        sum(case when is_resolved is not null then 1 else 0 end) as answers_count,
        sum(case when is_resolved then 1 else 0 end) as resolved_count
    from {{ ref('hotline__response_times') }}
    where not is_excluded
    group by month, category_1, coalesce(category_2, '未分类'), coalesce(category_3, '未分类')
),

ranked as (
    select
        counted.*,
        sum(counted.orders_count) over (partition by counted.month) as month_count,
        before.orders_count as orders_before,
        row_number() over (
            partition by counted.month
            order by counted.orders_count desc, counted.category_1 asc, counted.category_2 asc, counted.category_3 asc
        ) as place
    from counted
    left join counted as before
        on
            counted.category_1 = before.category_1
            and counted.category_2 = before.category_2
            and counted.category_3 = before.category_3
            and before.month = {{ previous_month('counted.month') }}
)

select
    month,
    category_1,
    category_2,
    category_3,
    cast(orders_count as integer) as orders_count,
    {{ pct('orders_count', 'month_count') }} as share_pct,
    cast(orders_before as integer) as orders_count_before,
    {{ pct('(orders_count - orders_before)', 'orders_before') }} as growth_pct,
    cast(place as integer) as rank_in_month,
    place <= {{ var('hotline_high_frequency_topics', 10) }} as is_high_frequency,
    cast(streets_count as integer) as streets_count,
    {{ pct('resolved_count', 'answers_count') }} as resolution_rate_pct
from ranked
