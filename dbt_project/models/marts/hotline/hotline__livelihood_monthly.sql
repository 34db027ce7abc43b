-- 七有五性: orders and the three rates of each livelihood class and month.
with counted as (
    select
        coalesce(livelihood_class_code, '99') as livelihood_class_code,
        month,
        {{ hotline_counts() }}
    from {{ ref('hotline__response_times') }}
    group by coalesce(livelihood_class_code, '99'), month
),

rated as (
    select
        *,
        sum(assessed_count) over (partition by month) as month_count,
        {{ hotline_rates() }}
    from counted
)

select
    rated.livelihood_class_code,
    coalesce(classes.name, '未分类') as livelihood_class_name,
    coalesce(classes.parent, '未分类') as livelihood_group_name,
    rated.month,
    rated.orders_count,
    rated.assessed_count,
    {{ pct('rated.assessed_count', 'rated.month_count') }} as share_pct,
    rated.response_rate_pct,
    rated.resolution_rate_pct,
    rated.satisfaction_rate_pct
from rated
left join {{ ref('codes__seven_have_five_nature') }} as classes
    on rated.livelihood_class_code = classes.code
