{# The three rates (三率) of 接诉即办 over hotline.response_times, the same for every grouping.
   Excluded orders (剔除件) stay out of every denominator; call-backs that gave no answer stay out of theirs.
   The composite weighs them by vars; Beijing's own weights are not public. NULL when a rate is missing. #}
{% macro hotline_counts() %}
    cast(count(*) as integer) as orders_count,
    cast(sum(case when is_excluded then 1 else 0 end) as integer) as excluded_count,
    cast(sum(case when not is_excluded then 1 else 0 end) as integer) as assessed_count,
    cast(sum(case when not is_excluded and is_contacted_in_time then 1 else 0 end) as integer) as contacted_in_time_count,
    cast(sum(case when not is_excluded and is_resolved is not null then 1 else 0 end) as integer) as resolution_answers_count,
    cast(sum(case when not is_excluded and is_resolved then 1 else 0 end) as integer) as resolved_count,
    cast(sum(case when not is_excluded and is_satisfied is not null then 1 else 0 end) as integer) as satisfaction_answers_count,
    cast(sum(case when not is_excluded and is_satisfied then 1 else 0 end) as integer) as satisfied_count,
    cast(sum(case when not is_excluded and is_closed_in_time then 1 else 0 end) as integer) as closed_in_time_count,
    round(avg(case when not is_excluded then contact_hours end), 2) as mean_contact_hours,
    round(avg(case when not is_excluded then handling_hours end), 2) as mean_handling_hours
{%- endmacro %}

{% macro hotline_rates() %}
    {{ pct('contacted_in_time_count', 'assessed_count') }} as response_rate_pct,
    {{ pct('resolved_count', 'resolution_answers_count') }} as resolution_rate_pct,
    {{ pct('satisfied_count', 'satisfaction_answers_count') }} as satisfaction_rate_pct
{%- endmacro %}

{% macro hotline_composite() %}
    {%- set w = [var('hotline_response_weight', 30), var('hotline_resolution_weight', 35), var('hotline_satisfaction_weight', 35)] -%}
    round(
        ({{ w[0] }} * response_rate_pct + {{ w[1] }} * resolution_rate_pct + {{ w[2] }} * satisfaction_rate_pct)
        / {{ w | sum }}.0,
        2
    )
{%- endmacro %}
