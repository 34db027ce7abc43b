-- One line a library and month: its own checks where there were any, else the mean of the feeds that flow into it.
with checked as (
    select
        split_part(substring(results.suite, 9), '.', 1) as library,
        {{ month_start(local_date('results.checked_at')) }} as month,
        results.suite,
        results.receipt,
        results.checked_at,
        weights.rules_count_in as dimension,
        results.scope,
        case when results.is_passed then 0 else 1 end as failed,
        coalesce(results.unexpected_count, 0) as unexpected,
        coalesce(results.evaluated_count, 0) as evaluated
    from {{ ref('staging__platform__validations') }} as results
    inner join {{ ref('scoring__weights') }} as weights
        on
            results.dimension = weights.dimension
            and {{ month_start(local_date('results.checked_at')) }} between weights.valid_from and weights.valid_to
    where results.suite like 'library:%'
),

runs as (
    select
        library,
        month,
        dimension,
        suite,
        receipt,
        checked_at,
        max(evaluated) as rows_count,
        sum(case when scope = 'row' then unexpected else 0 end) as bad_rows,
        sum(case when scope = 'row' then 0 else failed end) as failed_checks,
        sum(case when scope = 'row' then 0 else 1 end) as all_checks
    from checked
    group by library, month, dimension, suite, receipt, checked_at
),

own as (
    select
        library,
        month,
        dimension,
        {{ quality_score('1.0', 'sum(bad_rows)', 'sum(rows_count)', 'sum(failed_checks)', 'sum(all_checks)') }} as score
    from runs
    group by library, month, dimension
),

inherited as (
    select
        flows.library,
        scores.month,
        scores.dimension,
        max(scores.weight) as weight,
        round(avg(scores.score), 2) as score
    from {{ ref('quality__feed_scores') }} as scores
    inner join {{ ref('scoring__library_feeds') }} as flows
        on scores.feed_id = flows.feed_id
    group by flows.library, scores.month, scores.dimension
),

joined as (
    select
        inherited.library,
        inherited.month,
        inherited.dimension,
        inherited.weight,
        coalesce(own.score, inherited.score) as score,
        case when own.score is null then 0 else 1 end as is_own
    from inherited
    left join own
        on
            inherited.library = own.library
            and inherited.month = own.month
            and inherited.dimension = own.dimension
            and inherited.dimension not in ('timeliness', 'accuracy')
),

scored as (
    select
        library,
        month,
        sum(is_own) as checked_dimensions_count,
        {{ quality_columns() }}
    from joined
    group by library, month
)

select
    scored.library,
    scored.month,
    cast(scored.checked_dimensions_count as bigint) as checked_dimensions_count,
    {{ quality_columns('scored') }},
    scored.total_score,
    before.total_score as previous_score,
    round(scored.total_score - before.total_score, 2) as change
from scored
left join scored as before
    on
        scored.library = before.library
        and before.month = {{ previous_month('scored.month') }}
