-- The score of each feed, month and dimension. Only the department's own faults count, and none that was excused.
with counted as (
    select
        results.feed_id,
        results.month,
        weights.rules_count_in as dimension,
        count(*) as rules_count,
        sum(case when results.scope = 'row' and not results.is_excused then results.unexpected_count else 0 end)
            as bad_rows,
        sum(case when results.scope = 'batch' and not results.is_excused then results.failed_count else 0 end)
            as failed_checks,
        sum(case when results.scope = 'batch' then results.checks_count else 0 end) as all_checks,
        max(case when results.scope = 'hours' and results.is_excused then 1 else 0 end) as is_lateness_excused
    from {{ ref('quality__rule_results') }} as results
    inner join {{ ref('scoring__weights') }} as weights
        on
            results.dimension = weights.dimension
            and results.month between weights.valid_from and weights.valid_to
    where results.party = 'source'
    group by results.feed_id, results.month, weights.rules_count_in
),

compared as (
    select
        deliveries.feed_id,
        deliveries.month,
        sum(truths.rows_checked) as rows_checked,
        sum(truths.rows_wrong) as rows_wrong
    from {{ ref('staging__platform__truths') }} as truths
    inner join {{ ref('quality__deliveries') }} as deliveries
        on
            truths.feed_id = deliveries.feed_id
            and truths.receipt = deliveries.receipt
    group by deliveries.feed_id, deliveries.month
),

based as (
    select
        months.feed_id,
        months.month,
        months.department_code,
        weights.dimension,
        weights.weight,
        months.rows_found,
        coalesce(counted.rules_count, 0) as rules_count,
        coalesce(counted.bad_rows, 0) as bad_rows,
        coalesce(counted.failed_checks, 0) as failed_checks,
        coalesce(counted.all_checks, 0) as all_checks,
        case
            when weights.dimension = 'timeliness' and counted.is_lateness_excused = 1 then 1.0
            when weights.dimension = 'timeliness' then months.fresh_hours / nullif(months.covered_hours, 0)
            when weights.dimension = 'accuracy'
                then 1.0 - 1.0 * compared.rows_wrong / nullif(compared.rows_checked, 0)
            when counted.rules_count > 0 and (months.rows_found > 0 or counted.all_checks > 0) then 1.0
        end as base
    from {{ ref('quality__feed_months') }} as months
    inner join {{ ref('scoring__weights') }} as weights
        on months.month between weights.valid_from and weights.valid_to
    left join counted
        on
            months.feed_id = counted.feed_id
            and months.month = counted.month
            and weights.dimension = counted.dimension
    left join compared
        on
            months.feed_id = compared.feed_id
            and months.month = compared.month
)

select
    feed_id,
    month,
    dimension,
    department_code,
    cast(rules_count as bigint) as rules_count,
    cast(rows_found as bigint) as rows_found,
    cast(bad_rows as bigint) as bad_rows,
    cast(failed_checks as bigint) as failed_checks,
    cast(all_checks as bigint) as all_checks,
    cast({{ quality_score('base', 'bad_rows', 'rows_found', 'failed_checks', 'all_checks') }} as double) as score,
    weight
from based
