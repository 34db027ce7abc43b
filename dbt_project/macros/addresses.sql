{# Addresses: answered by functions that the engine is given under these names. DuckDB gets them from
   warehouse/addresses/functions.py; for Spark the same Python has to be registered as functions of these names, which
   nothing here does yet. A model that matches must name what the book is read from, see address_book(). #}

{# JSON of what is found; the two hints may be NULL. #}
{% macro address_match(text, street_code="null", community_code="null") -%}
    lakehouse_address_match({{ text }}, cast({{ street_code }} as {{ text_type() }}), cast({{ community_code }} as {{ text_type() }}))
{%- endmacro %}

{# JSON of the nearest standard address to a point (CGCS2000, degrees) and the community around it. #}
{% macro address_at(longitude, latitude) -%} lakehouse_address_at({{ longitude }}, {{ latitude }}) {%- endmacro %}

{# A list of JSON, one a number or range that a description of an area names. #}
{% macro address_pieces(text, printed_community) -%}
    lakehouse_address_pieces({{ text }}, {{ printed_community }})
{%- endmacro %}

{# JSON of the elements of one address. #}
{% macro address_parse(text) -%} lakehouse_address_parse({{ text }}) {%- endmacro %}

{# What matching reads; stands in a model as a comment, so that dbt builds these first. #}
{% macro address_book() -%}
    -- {{ ref('spatiotemporal__addresses') }}, {{ ref('spatiotemporal__address_areas') }}, {{ ref('spatiotemporal__address_aliases') }}
    -- {{ ref('spatiotemporal__divisions') }}
{%- endmacro %}

{# The columns of a match, from its JSON. #}
{% macro address_match_columns(found) -%}
    {{ json_text(found, 'address_id') }} as address_id,
    {{ json_text(found, 'standard_address') }} as standard_address,
    {{ json_text(found, 'street_code') }} as street_code,
    {{ json_text(found, 'community_code') }} as community_code,
    {{ json_text(found, 'community_name') }} as community_name,
    cast({{ json_text(found, 'longitude') }} as double) as longitude_cgcs2000,
    cast({{ json_text(found, 'latitude') }} as double) as latitude_cgcs2000,
    cast({{ json_text(found, 'accuracy_m') }} as double) as accuracy_m,
    coalesce(cast({{ json_text(found, 'confidence') }} as double), 0) as confidence,
    {{ json_text(found, 'how') }} as match_method,
    {{ json_text(found, 'reason') }} as unmatched_reason,
    {{ json_text(found, 'guess') }} as best_guess
{%- endmacro %}

{# What a model of matches is after its relation ``stated``: each writing asked once, with what else is known of it, and
   joined back; answers that still hold are kept. ``keys`` identify a row; with ``hints`` it also has
   given_street_code and given_community_code. #}
{% macro matches_of_stated(keys, hints=false) -%}
{%- set answers = ['address_id', 'standard_address', 'street_code', 'community_code', 'community_name',
    'longitude_cgcs2000', 'latitude_cgcs2000', 'accuracy_m', 'confidence', 'match_method', 'unmatched_reason',
    'best_guess'] -%}
{%- set asks = ['address_text'] + (['given_street_code', 'given_community_code'] if hints else []) -%}
{{ answers_kept('stated', keys, asks, answers) }}
matched as (
    select
        {{ asks | join(', ') }},
        {{ address_match('address_text', 'given_street_code' if hints else 'null', 'given_community_code' if hints else 'null') }}
            as found
    from (select distinct {{ asks | join(', ') }} from unanswered) as texts
)

select
    {% for column in keys + asks %}
        unanswered.{{ column }},
    {% endfor %}
    {{ address_match_columns('matched.found') }}
from unanswered
inner join matched
    on
        unanswered.address_text = matched.address_text
        {% for hint in asks[1:] %}
            and coalesce(unanswered.{{ hint }}, '') = coalesce(matched.{{ hint }}, '')
        {% endfor %}
{{ union_kept(keys + asks + answers) }}
{%- endmacro %}
