{# Tables of answers: a row asks a function (of warehouse/addresses, warehouse/entities) about some of its columns. The
   answer of a row that asks what it asked before is taken from the table itself, as long as what the function knows is
   the same; on a day nearly all rows are such. A model says config(answered_by='addresses' or 'entity_names'), and its
   text is in three parts: the rows that ask, these common table expressions, and the rows of kept ones at its end.
   All is asked anew when the project or the knowledge changed, when the table's last commit was another's, and with
   --full-refresh. So are the rows of few keys that changed in feeds: to look up what they asked before would read all
   of the table.
   Compiling alone keeps nothing: the kept rows are the table's own columns, which say nothing of grades. #}

{# CTEs kept and unanswered. keys identify a row of the CTE rows; asks are the columns it asks about, answers those that the
   model adds. Ends in a comma. One join tells the two apart: the table is read once. #}
{% macro answers_kept(rows, keys, asks, answers) %}
    {{- return(adapter.dispatch('answers_kept')(rows, keys, asks, answers)) -}}
{% endmacro %}
{% macro default__answers_kept(rows, keys, asks, answers) %}
unanswered as (
    select * from {{ rows }}
),
{% endmacro %}
{% macro duckdb__answers_kept(rows, keys, asks, answers) %}
    {%- if not (execute and lakehouse_keeps_answers()) %}
        {{- return(default__answers_kept(rows, keys, asks, answers)) -}}
    {% endif -%}
answered_before as (
    select
        now.*,
        {% for answer in answers %}was.{{ answer }}, {% endfor %}
        was.{{ keys[0] }} is not null as is_kept
    from {{ rows }} as now
    left join {{ this }} as was
        on
            {% for key in keys %}was.{{ key }} = now.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
            {% for ask in asks %}and was.{{ ask }} is not distinct from now.{{ ask }} {% endfor %}
),

kept as (
    select * from answered_before
    where is_kept
),

unanswered as (
    select * from answered_before
    where not is_kept
),
{% endmacro %}

{# The rows whose answers were kept; the end of a model. Columns in the model's order. #}
{% macro union_kept(columns) %}{{ return(adapter.dispatch('union_kept')(columns)) }}{% endmacro %}
{% macro default__union_kept(columns) %}{% endmacro %}
{% macro duckdb__union_kept(columns) %}
    {%- if execute and lakehouse_keeps_answers() %}
union all
select
    {{ columns | join(',\n    ') }}
from kept
    {%- endif %}
{% endmacro %}
