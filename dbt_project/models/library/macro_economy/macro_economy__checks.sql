-- What does not hold in the printed figures, one row a finding. Kinds:
-- copied_period: a source states for a period what it states for the one before, all indicators both have (3 or more);
-- copied_value: the same for one indicator of four or more figures, of a year's of three;
-- copied_across: two amounts of one source, unit and period have one value of four or more figures;
-- parts: a sum, a part or a ratio of macro_checks is broken; sources_disagree: two sources, two values;
-- unit: a unit that cannot be converted; gap: a period missing between others;
-- jump: growth, or in a short series the value, far from what the series does otherwise;
-- growth_disagrees: published growth is not that of the values.
with reports as (
    select
        *,
        cast(value as double) as number
    from {{ ref('macro_economy__reports') }}
    where value is not null and unit_state <> 'unknown'
),

pairs as (
    select
        now.source_feed,
        now.indicator_code,
        now.indicator_name,
        now.area_code,
        now.period,
        now.frequency,
        now.number,
        before.period as period_before,
        before.number as number_before,
        case when now.number = before.number then 1 else 0 end as is_same,
        {{ figures('now.printed_value') }} as digits
    from reports as now
    inner join reports as before
        on
            now.source_feed = before.source_feed
            and now.indicator_code = before.indicator_code
            and now.area_code = before.area_code
            and now.frequency = before.frequency
            and before.period_start
            = {{ add_months('now.period_start', '-' ~ period_months('now.frequency')) }}
    inner join {{ ref('macro_economy__indicators') }} as kinds
        on now.indicator_code = kinds.indicator_code
    where kinds.measure in ('flow', 'stock', 'rate') or kinds.measure is null
),

periods as (
    select
        source_feed,
        area_code,
        period,
        min(period_before) as period_before,
        cast(count(*) as integer) as compared,
        cast(sum(is_same) as integer) as same
    from pairs
    group by source_feed, area_code, period
),

copied_periods as (
    select * from periods
    where same >= 3 and same = compared
),

terms as (
    select
        rules.check_code,
        rules.kind,
        rules.label,
        rules.role,
        rules.coefficient,
        rules.tolerance_abs,
        rules.tolerance_pct,
        facts.indicator_code,
        facts.area_code,
        facts.period,
        facts.source_feed,
        facts.number
    from {{ ref('macro_checks') }} as rules
    inner join reports as facts
        on rules.indicator_code = facts.indicator_code
),

-- the parts and the whole are taken from one source where it has all of them, else from the best of each
chosen as (
    select
        terms.*,
        row_number() over (
            partition by terms.check_code, terms.area_code, terms.period, terms.role, terms.indicator_code
            order by ranked.priority, terms.source_feed
        ) as place
    from terms
    inner join {{ ref('macro_economy__reports') }} as ranked
        on
            terms.source_feed = ranked.source_feed
            and terms.indicator_code = ranked.indicator_code
            and terms.area_code = ranked.area_code
            and terms.period = ranked.period
),

constants as (
    select
        check_code,
        sum(case when role = 'constant' then coefficient else 0 end) as constant,
        sum(case when role in ('term', 'numerator', 'denominator') then 1 else 0 end) as terms_needed
    from {{ ref('macro_checks') }}
    group by check_code
),

sums as (
    select
        chosen.check_code,
        min(chosen.kind) as kind,
        min(chosen.label) as label,
        chosen.area_code,
        chosen.period,
        max(case when chosen.role = 'result' then chosen.indicator_code end) as indicator_code,
        max(case when chosen.role = 'result' then chosen.source_feed end) as source_feed,
        max(case when chosen.role = 'result' then chosen.number end) as found_value,
        max(chosen.tolerance_abs) as tolerance_abs,
        max(chosen.tolerance_pct) as tolerance_pct,
        sum(case when chosen.role = 'term' then chosen.coefficient * chosen.number else 0 end) as terms_sum,
        max(case when chosen.role = 'numerator' then chosen.coefficient * chosen.number end) as numerator,
        max(case when chosen.role = 'denominator' then chosen.coefficient * chosen.number end) as denominator,
        sum(case when chosen.role <> 'result' then 1 else 0 end) as terms_found
    from chosen
    where chosen.place = 1
    group by chosen.check_code, chosen.area_code, chosen.period
),

compared as (
    select
        sums.*,
        case
            when sums.kind = 'ratio' then sums.numerator / nullif(sums.denominator, 0)
            else sums.terms_sum + constants.constant
        end as expected_value,
        greatest(sums.tolerance_abs, abs(sums.found_value) * sums.tolerance_pct / 100) as tolerance
    from sums
    inner join constants
        on sums.check_code = constants.check_code
    where
        sums.found_value is not null
        and (sums.terms_found = constants.terms_needed or (sums.kind = 'at_most' and sums.terms_found > 0))
),

disagreeing as (
    select
        indicator_code,
        min(indicator_name) as indicator_name,
        area_code,
        period,
        min(number) as lowest,
        max(number) as highest,
        min(source_feed) as one_feed,
        max(source_feed) as other_feed
    from reports
    group by indicator_code, area_code, period
    having count(distinct source_feed) > 1 and max(number) - min(number) > 0.0005 * greatest(abs(max(number)), 1)
),

spans as (
    select
        source_feed,
        indicator_code,
        indicator_name,
        area_code,
        period,
        period_start,
        frequency,
        lag(period) over (partition by source_feed, indicator_code, area_code, frequency order by period_start)
            as earlier,
        {{ add_months('period_start', '-' ~ period_months('frequency')) }} as wanted_start,
        lag(period_start) over (
            partition by source_feed, indicator_code, area_code, frequency order by period_start
        ) as earlier_start
    from reports
),

missing as (
    select spans.*
    from spans
    inner join {{ ref('macro_economy__indicators') }} as kinds
        on spans.indicator_code = kinds.indicator_code
    where
        spans.earlier_start < spans.wanted_start
        -- January and February are often published together
        and not (
            spans.frequency = 'month' and extract(month from spans.period_start) in (2, 3)
            and spans.earlier_start >= {{ add_months('spans.period_start', -3) }}
        )
),

rates as (
    select
        pairs.*,
        ln(pairs.number / pairs.number_before) as rate
    from pairs
    where pairs.frequency = 'year' and pairs.number > 0 and pairs.number_before > 0
),

middles as (
    select
        source_feed,
        indicator_code,
        area_code,
        percentile_cont(0.5) within group (order by rate) as middle,
        count(*) as rates_count
    from rates
    group by source_feed, indicator_code, area_code
),

spreads as (
    select
        rates.source_feed,
        rates.indicator_code,
        rates.area_code,
        min(middles.middle) as middle,
        percentile_cont(0.5) within group (order by abs(rates.rate - middles.middle)) as spread
    from rates
    inner join middles
        on
            rates.source_feed = middles.source_feed
            and rates.indicator_code = middles.indicator_code
            and rates.area_code = middles.area_code
    where middles.rates_count >= 5
    group by rates.source_feed, rates.indicator_code, rates.area_code
),

across as (
    select
        now.source_feed,
        now.indicator_code,
        now.indicator_name,
        now.area_code,
        now.period,
        now.number,
        min(before.indicator_name) as other_name
    from reports as now
    inner join reports as before
        on
            now.source_feed = before.source_feed
            and now.area_code = before.area_code
            and now.period = before.period
            and now.unit = before.unit
            and now.number = before.number
    inner join {{ ref('macro_economy__indicators') }} as kinds
        on now.indicator_code = kinds.indicator_code
    where
        before.indicator_code < now.indicator_code
        and {{ figures('now.printed_value') }} >= 4
        -- indices and rates lie close together and are often the same
        and kinds.measure in ('flow', 'stock')
    group by
        now.source_feed, now.indicator_code, now.indicator_name, now.area_code, now.period, now.number
),

levels as (
    select
        source_feed,
        indicator_code,
        area_code,
        percentile_cont(0.5) within group (order by number) as middle
    from reports
    where frequency = 'year' and number > 0
    group by source_feed, indicator_code, area_code
    having count(*) >= 3
),

-- where growth says nothing yet, a value of three times, or a third of, the middle of its series stands out
strays as (
    select
        reports.source_feed,
        reports.indicator_code,
        reports.indicator_name,
        reports.area_code,
        reports.period,
        reports.number,
        levels.middle
    from reports
    inner join levels
        on
            reports.source_feed = levels.source_feed
            and reports.indicator_code = levels.indicator_code
            and reports.area_code = levels.area_code
    left join spreads
        on
            reports.source_feed = spreads.source_feed
            and reports.indicator_code = spreads.indicator_code
            and reports.area_code = spreads.area_code
    where
        reports.frequency = 'year'
        and spreads.spread is null
        and (reports.number > 3 * levels.middle or 3 * reports.number < levels.middle)
),

findings as (
    select
        'copied_period' as kind,
        '' as check_code,
        copied_periods.source_feed,
        '' as indicator_code,
        copied_periods.area_code,
        copied_periods.period,
        'error' as severity,
        cast(copied_periods.same as double) as found_value,
        cast(null as double) as expected_value,
        {{ concat_text([
            'copied_periods.period', "' 的 '", 'copied_periods.same', "' 项数值与 '", 'copied_periods.period_before',
            "' 完全相同，疑为抄录错误'"
        ]) }} as message
    from copied_periods
    union all
    select
        'copied_value' as kind,
        '' as check_code,
        pairs.source_feed,
        pairs.indicator_code,
        pairs.area_code,
        pairs.period,
        'warn' as severity,
        pairs.number as found_value,
        pairs.number_before as expected_value,
        {{ concat_text(['pairs.indicator_name', "' '", 'pairs.period', "' 与 '", 'pairs.period_before', "' 数值相同'"]) }}
            as message
    from pairs
    left join copied_periods
        on
            pairs.source_feed = copied_periods.source_feed
            and pairs.area_code = copied_periods.area_code
            and pairs.period = copied_periods.period
    where
        pairs.is_same = 1
        -- by chance the next month repeats three figures often, the next year seldom
        and (pairs.digits >= 4 or (pairs.digits = 3 and pairs.frequency = 'year'))
        and copied_periods.period is null
    union all
    select
        'copied_across' as kind,
        '' as check_code,
        source_feed,
        indicator_code,
        area_code,
        period,
        'warn' as severity,
        number as found_value,
        number as expected_value,
        {{ concat_text(['other_name', "' 与 '", 'indicator_name', "' '", 'period', "' 数值相同'"]) }} as message
    from across
    union all
    select
        'parts' as kind,
        compared.check_code,
        compared.source_feed,
        compared.indicator_code,
        compared.area_code,
        compared.period,
        'error' as severity,
        compared.found_value,
        round(compared.expected_value, 4) as expected_value,
        {{ concat_text(['compared.period', "' 不成立：'", 'compared.label']) }} as message
    from compared
    where
        case
            when compared.kind = 'at_most' then compared.expected_value - compared.found_value > compared.tolerance
            else abs(compared.expected_value - compared.found_value) > compared.tolerance
        end
    union all
    select
        'sources_disagree' as kind,
        '' as check_code,
        one_feed as source_feed,
        indicator_code,
        area_code,
        period,
        'warn' as severity,
        lowest as found_value,
        highest as expected_value,
        {{ concat_text(['indicator_name', "' '", 'period', "' 在 '", 'one_feed', "' 与 '", 'other_feed', "' 中不同'"]) }}
            as message
    from disagreeing
    union all
    select
        'unit' as kind,
        '' as check_code,
        source_feed,
        indicator_code,
        area_code,
        period,
        'error' as severity,
        cast(value as double) as found_value,
        cast(null as double) as expected_value,
        {{ concat_text(['indicator_name', "' '", 'period', "' 以“'", 'printed_unit', "'”计，不能换算，不参与比较'"]) }} as message
    from {{ ref('macro_economy__reports') }}
    where unit_state = 'unknown'
    union all
    select
        'gap' as kind,
        '' as check_code,
        source_feed,
        indicator_code,
        area_code,
        period,
        'warn' as severity,
        cast(null as double) as found_value,
        cast(null as double) as expected_value,
        {{ concat_text(['indicator_name', "' 在 '", 'earlier', "' 与 '", 'period', "' 之间缺期'"]) }} as message
    from missing
    union all
    select
        'jump' as kind,
        '' as check_code,
        rates.source_feed,
        rates.indicator_code,
        rates.area_code,
        rates.period,
        'warn' as severity,
        round(100.0 * (exp(rates.rate) - 1), 2) as found_value,
        round(100.0 * (exp(spreads.middle) - 1), 2) as expected_value,
        {{ concat_text(['rates.indicator_name', "' '", 'rates.period', "' 的同比远离该序列的常态'"]) }} as message
    from rates
    inner join spreads
        on
            rates.source_feed = spreads.source_feed
            and rates.indicator_code = spreads.indicator_code
            and rates.area_code = spreads.area_code
    where abs(rates.rate - spreads.middle) > greatest(6 * spreads.spread, 0.12)
    union all
    select
        'jump' as kind,
        '' as check_code,
        source_feed,
        indicator_code,
        area_code,
        period,
        'warn' as severity,
        number as found_value,
        middle as expected_value,
        {{ concat_text(['indicator_name', "' '", 'period', "' 远离该序列的其余数值'"]) }} as message
    from strays
    union all
    select
        'growth_disagrees' as kind,
        '' as check_code,
        '' as source_feed,
        growth.indicator_code,
        growth.area_code,
        growth.period,
        'warn' as severity,
        cast(growth.published_yoy_pct as double) as found_value,
        growth.yoy_pct as expected_value,
        {{ concat_text(['kinds.indicator_name', "' '", 'growth.period', "' 公布的同比与由数值算得的不符（基数修订或可比口径）'"]) }} as message
    from {{ ref('macro_economy__growth') }} as growth
    inner join {{ ref('macro_economy__indicators') }} as kinds
        on growth.indicator_code = kinds.indicator_code
    where abs(growth.published_yoy_pct - growth.yoy_pct) > 0.3
)

select
    kind,
    check_code,
    source_feed,
    indicator_code,
    area_code,
    period,
    severity,
    found_value,
    expected_value,
    message
from findings
