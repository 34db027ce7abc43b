{# Tables of answers: a row asks a function (of warehouse/addresses, warehouse/entities) about some of its columns. The
   answer of a row that asks what it asked before is taken from the table itself, as long as what the function knows is
   the same; on a day nearly all rows are such. A model says config(answered_by='addresses' or 'entity_names'), and its
   text is in three parts: the rows that ask, these common table expressions, and the rows of kept ones at its end.
   All is asked anew when the project or the knowledge changed, when the table's last commit was another's, and with
   --full-refresh.
   Compiling alone keeps nothing: the kept rows are the table's own columns, which say nothing of grades. #}

{# CTEs kept and unanswered. keys identify a row of the CTE rows; asks are the columns it asks about. Ends in a comma. #}
{% macro answers_kept(rows, keys, asks) %}{{ return(adapter.dispatch('answers_kept')(rows, keys, asks)) }}{% endmacro %}
{% macro default__answers_kept(rows, keys, asks) %}
unanswered as (
    select * from {{ rows }}
),
{% endmacro %}
{% macro duckdb__answers_kept(rows, keys, asks) %}
    {%- if not (execute and lakehouse_answers_hold()) %}{{ return(default__answers_kept(rows, keys, asks)) }}{% endif -%}
kept as (
    select was.*
    from {{ this }} as was
    inner join {{ rows }} as now
        on
            {% for key in keys %}was.{{ key }} = now.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
            {% for ask in asks %}and was.{{ ask }} is not distinct from now.{{ ask }} {% endfor %}
),

unanswered as (
    select now.*
    from {{ rows }} as now
    left join kept
        on {% for key in keys %}now.{{ key }} = kept.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
    where kept.{{ keys[0] }} is null
),
{% endmacro %}

{# The rows whose answers were kept; the end of a model. Columns in the model's order. #}
{% macro union_kept(columns) %}{{ return(adapter.dispatch('union_kept')(columns)) }}{% endmacro %}
{% macro default__union_kept(columns) %}{% endmacro %}
{% macro duckdb__union_kept(columns) %}
    {%- if execute and lakehouse_answers_hold() %}
union all
select
    {{ columns | join(',\n    ') }}
from kept
    {%- endif %}
{% endmacro %}
