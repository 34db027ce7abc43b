{# Which register's word counts, said once: an element is taken from the register the dictionary gives authority over it
   (catalog/dictionary/elements.yaml, compiled to the seed authority), the newest statement among equals. #}

{# The place of a feed in the order of authority over an element; registers nobody named come last. #}
{% macro authority_place(element) %}
    max(case when element = '{{ element }}' then place end)
{%- endmacro %}

{# A number that is the higher, the better a statement is; NULL when nothing is stated. place: see authority_place.
   number: a whole number below 100,000,000 that decides between statements as good, so that the same one is chosen
   whenever it is asked; which one that is says nothing. #}
{% macro statement_rank(value, place, stated_date, number=none) %}
    case
        when {{ value }} is not null
            then ((99 - coalesce({{ place }}, 90)) * cast(100000000 as bigint)
                + coalesce(
                    extract(year from {{ stated_date }}) * 10000 + extract(month from {{ stated_date }}) * 100
                    + extract(day from {{ stated_date }}), 0
                )) * 100000000
                + {{ value_number(value) if number is none else number }}
    end
{%- endmacro %}
