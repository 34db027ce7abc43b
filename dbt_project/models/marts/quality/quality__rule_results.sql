-- Every check of every feed and month, passed or not: rules of contracts, and what receiving found beside them.
with checked as (
    select
        deliveries.feed_id,
        deliveries.month,
        results.rule_code,
        results.rule_name,
        results.dimension,
        results.severity,
        results.party,
        results.scope,
        results.message,
        deliveries.rows_found,
        case when results.is_passed then 0 else 1 end as failed,
        case when results.scope = 'row' then coalesce(results.unexpected_count, 0) else 0 end as unexpected
    from {{ ref('staging__platform__validations') }} as results
    inner join {{ ref('quality__deliveries') }} as deliveries
        on
            results.feed_id = deliveries.feed_id
            and results.receipt = deliveries.receipt
    where
        results.suite not like 'library:%'
        and results.suite not like 'mart:%'
        and results.suite not like 'release:%'
),

judged as (
    select distinct
        feed_id,
        receipt
    from {{ ref('staging__platform__validations') }}
),

received as (
    select
        deliveries.feed_id,
        deliveries.month,
        deliveries.rows_found,
        deliveries.verdict = 'stopped' and judged.receipt is null as is_refused,
        case
            when loads.refusal_code is null or loads.refusal_code like 'LH2%' then 'source'
            else 'platform'
        end as refusal_party,
        loads.reasons,
        loads.skipped
    from {{ ref('quality__deliveries') }} as deliveries
    inner join {{ ref('staging__platform__loads') }} as loads
        on
            deliveries.feed_id = loads.feed_id
            and deliveries.receipt = loads.receipt
    left join judged
        on
            deliveries.feed_id = judged.feed_id
            and deliveries.receipt = judged.receipt
),

found as (
    select
        received.feed_id,
        received.month,
        problems.code as rule_code,
        'receiving' as rule_name,
        problems.dimension,
        case when problems.origin = 'skipped' then 'skip' else 'reject' end as severity,
        'source' as party,
        'row' as scope,
        problems.label as message,
        received.rows_found,
        coalesce(
            cast(
                case
                    when problems.origin = 'reasons' then {{ json_text_at('received.reasons', 'problems.code') }}
                    else {{ json_text_at('received.skipped', 'problems.code') }}
                end as bigint
            ), 0
        ) as unexpected
    from received
    cross join {{ ref('scoring__problems') }} as problems
    where problems.origin in ('reasons', 'skipped')
),

refused as (
    select
        received.feed_id,
        received.month,
        problems.code as rule_code,
        'receiving' as rule_name,
        problems.dimension,
        'stop' as severity,
        case when received.is_refused then received.refusal_party else 'source' end as party,
        'batch' as scope,
        problems.label as message,
        received.rows_found,
        case when received.is_refused then 1 else 0 end as failed,
        0 as unexpected
    from received
    cross join {{ ref('scoring__problems') }} as problems
    where problems.origin = 'refused'
),

every as (
    select
        feed_id,
        month,
        rule_code,
        rule_name,
        dimension,
        severity,
        party,
        scope,
        message,
        rows_found,
        failed,
        unexpected
    from checked
    union all
    select
        feed_id,
        month,
        rule_code,
        rule_name,
        dimension,
        severity,
        party,
        scope,
        message,
        rows_found,
        case when unexpected > 0 then 1 else 0 end as failed,
        unexpected
    from found
    union all
    select
        feed_id,
        month,
        rule_code,
        rule_name,
        dimension,
        severity,
        party,
        scope,
        message,
        rows_found,
        failed,
        unexpected
    from refused
),

grouped as (
    select
        feed_id,
        month,
        rule_code,
        party,
        max(rule_name) as rule_name,
        max(dimension) as dimension,
        max(severity) as severity,
        max(scope) as scope,
        coalesce(max(case when failed = 1 then message end), max(message)) as message,
        count(*) as checks_count,
        sum(failed) as failed_count,
        sum(rows_found) as evaluated_count,
        sum(unexpected) as unexpected_count,
        sum(
            case
                when failed = 0 then 0
                when scope = 'row' then unexpected
                when severity = 'stop' then rows_found
                else 0
            end
        ) as affected_rows
    from every
    group by feed_id, month, rule_code, party
),

freshness as (
    select
        months.feed_id,
        months.month,
        problems.code as rule_code,
        'source' as party,
        'receiving' as rule_name,
        problems.dimension,
        'warn' as severity,
        'hours' as scope,
        problems.label as message,
        1 as checks_count,
        case when months.covered_hours > months.fresh_hours + 0.001 then 1 else 0 end as failed_count,
        {{ round_int('months.covered_hours') }} as evaluated_count,
        {{ round_int('months.covered_hours - months.fresh_hours') }} as unexpected_count,
        0 as affected_rows
    from {{ ref('quality__feed_months') }} as months
    cross join {{ ref('scoring__problems') }} as problems
    where
        problems.origin = 'freshness'
        and months.covered_hours > 0
),

results as (
    select * from grouped
    union all
    select * from freshness
),

objected as (
    select
        feed_id,
        rule_code,
        month,
        max(case when action = 'accepted' then 1 else 0 end) as is_accepted
    from {{ ref('staging__platform__objections') }}
    group by feed_id, rule_code, month
)

select
    results.feed_id,
    results.month,
    results.rule_code,
    results.party,
    results.rule_name,
    results.dimension,
    results.severity,
    results.scope,
    results.message,
    cast(results.checks_count as bigint) as checks_count,
    cast(results.failed_count as bigint) as failed_count,
    cast(results.evaluated_count as bigint) as evaluated_count,
    cast(results.unexpected_count as bigint) as unexpected_count,
    cast(results.affected_rows as bigint) as affected_rows,
    case
        when results.scope = 'batch' then {{ pct('results.failed_count', 'results.checks_count') }}
        else {{ pct('results.unexpected_count', 'results.evaluated_count') }}
    end as share_pct,
    coalesce(objected.is_accepted, 0) = 1 as is_excused
from results
left join objected
    on
        results.feed_id = objected.feed_id
        and results.rule_code = objected.rule_code
        and results.month = objected.month
