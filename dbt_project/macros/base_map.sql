{# The base map, said once for all feeds of it. #}

{# The points of one feed in the columns that all share. Without ``surveyed`` a point was seen when it was loaded. #}
{% macro points_of(feed, relation, code, kind, name, address=none, installed=none, removed=none, surveyed=none) %}
    select
        '{{ feed }}' as feed_id,
        {{ code }} as point_code,
        {{ kind }} as class_code,
        {{ name }} as point_name,
        {{ address or 'cast(null as ' ~ text_type() ~ ')' }} as address,
        {{ installed or 'cast(null as date)' }} as installed_date,
        {{ removed or 'cast(null as date)' }} as removed_date,
        {{ surveyed or local_date('_loaded_at') }} as surveyed_date,
        geom_cgcs2000,
        _receipt
    from {{ relation }}
{%- endmacro %}
