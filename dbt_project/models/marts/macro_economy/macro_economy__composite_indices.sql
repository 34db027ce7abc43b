-- Leading and coincident indices: symmetric changes of the adjusted series, each divided by its own spread so that no
-- series rules, averaged by weight, and cumulated (the way of the Conference Board); the first month is 100.
with months_before as (
    select
        indicator_code,
        area_code,
        period,
        period_start,
        adjusted_value,
        lag(adjusted_value) over (partition by indicator_code, area_code order by period_start) as before
    from {{ ref('macro_economy__seasonally_adjusted') }}
    where frequency = 'month'
),

changes as (
    select
        parts.composite_code,
        parts.composite_name,
        parts.weight,
        facts.indicator_code,
        facts.area_code,
        facts.period,
        facts.period_start,
        200.0 * (facts.adjusted_value - facts.before) / (facts.adjusted_value + facts.before) as change
    from {{ ref('macro_composites') }} as parts
    inner join months_before as facts
        on parts.indicator_code = facts.indicator_code
    where facts.before is not null and facts.adjusted_value + facts.before <> 0
),

spreads as (
    select
        composite_code,
        indicator_code,
        area_code,
        stddev_samp(change) as spread
    from changes
    group by composite_code, indicator_code, area_code
),

shares as (
    select
        spreads.*,
        1
        / spreads.spread
        / sum(1 / spreads.spread) over (partition by spreads.composite_code, spreads.area_code) as share,
        count(*) over (partition by spreads.composite_code, spreads.area_code) as parts_count
    from spreads
    where spreads.spread > 0
),

months as (
    select
        changes.composite_code,
        min(changes.composite_name) as composite_name,
        changes.area_code,
        changes.period,
        min(changes.period_start) as period_start,
        sum(changes.change * shares.share * changes.weight) / sum(shares.share * changes.weight) as change,
        cast(count(*) as integer) as parts_count,
        max(shares.parts_count) as parts_wanted
    from changes
    inner join shares
        on
            changes.composite_code = shares.composite_code
            and changes.indicator_code = shares.indicator_code
            and changes.area_code = shares.area_code
    group by changes.composite_code, changes.area_code, changes.period
),

cumulated as (
    select
        *,
        100 * exp(
            sum(ln((200 + change) / (200 - change)))
                over (partition by composite_code, area_code order by period_start)
        ) as index_value
    from months
    where 2 * parts_count > parts_wanted
)

select
    composite_code,
    area_code,
    period,
    period_start,
    composite_name,
    round(index_value, 3) as index_value,
    round(change, 3) as change_pct,
    round(
        100.0 * (
            index_value / lag(index_value, 6) over (partition by composite_code, area_code order by period_start) - 1
        ), 2
    ) as change_6_months_pct,
    parts_count
from cumulated
