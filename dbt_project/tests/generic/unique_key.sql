{# The columns together identify a row; NULL counts as a value. #}
{% test unique_key(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as rows_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
