{# Geometry is stored as WKB in CGCS2000 (EPSG:4490), x longitude, y latitude. #}
{% macro point_longitude(wkb) %}{{ return(adapter.dispatch('point_longitude')(wkb)) }}{% endmacro %}
{% macro default__point_longitude(wkb) %}st_x(st_geomfromwkb({{ wkb }})){% endmacro %}

{% macro point_latitude(wkb) %}{{ return(adapter.dispatch('point_latitude')(wkb)) }}{% endmacro %}
{% macro default__point_latitude(wkb) %}st_y(st_geomfromwkb({{ wkb }})){% endmacro %}

{% macro geometry_contains(wkb_area, wkb_point) %}{{ return(adapter.dispatch('geometry_contains')(wkb_area, wkb_point)) }}{% endmacro %}
{% macro default__geometry_contains(wkb_area, wkb_point) %}st_contains(st_geomfromwkb({{ wkb_area }}), st_geomfromwkb({{ wkb_point }})){% endmacro %}

{# Area on the ellipsoid; DuckDB's function takes latitude first. #}
{% macro geometry_area_m2(wkb) %}{{ return(adapter.dispatch('geometry_area_m2')(wkb)) }}{% endmacro %}
{% macro default__geometry_area_m2(wkb) %}st_area_spheroid(st_flipcoordinates(st_geomfromwkb({{ wkb }}))){% endmacro %}
{% macro spark__geometry_area_m2(wkb) %}st_areaspheroid(st_geomfromwkb({{ wkb }})){% endmacro %}

{# What a department sends may cross itself: whether it does, and the valid shape nearest to it. #}
{% macro geometry_is_valid(wkb) %}{{ return(adapter.dispatch('geometry_is_valid')(wkb)) }}{% endmacro %}
{% macro default__geometry_is_valid(wkb) %}st_isvalid(st_geomfromwkb({{ wkb }})){% endmacro %}

{% macro geometry_made_valid(wkb) %}{{ return(adapter.dispatch('geometry_made_valid')(wkb)) }}{% endmacro %}
{% macro default__geometry_made_valid(wkb) %}st_aswkb(st_makevalid(st_geomfromwkb({{ wkb }}))){% endmacro %}
{% macro spark__geometry_made_valid(wkb) %}st_asbinary(st_makevalid(st_geomfromwkb({{ wkb }}))){% endmacro %}

{# A point that lies on the shape itself, not beside a bent one. #}
{% macro geometry_inner_point(wkb) %}{{ return(adapter.dispatch('geometry_inner_point')(wkb)) }}{% endmacro %}
{% macro default__geometry_inner_point(wkb) %}st_aswkb(st_pointonsurface(st_geomfromwkb({{ wkb }}))){% endmacro %}
{% macro spark__geometry_inner_point(wkb) %}st_asbinary(st_pointonsurface(st_geomfromwkb({{ wkb }}))){% endmacro %}

{% macro geometry_length_m(wkb) %}{{ return(adapter.dispatch('geometry_length_m')(wkb)) }}{% endmacro %}
{% macro default__geometry_length_m(wkb) %}st_length_spheroid(st_flipcoordinates(st_geomfromwkb({{ wkb }}))){% endmacro %}
{% macro spark__geometry_length_m(wkb) %}st_lengthspheroid(st_geomfromwkb({{ wkb }})){% endmacro %}

{% macro geometry_intersects(a, b) %}st_intersects(st_geomfromwkb({{ a }}), st_geomfromwkb({{ b }})){% endmacro %}

{% macro geometry_common(a, b) %}{{ return(adapter.dispatch('geometry_common')(a, b)) }}{% endmacro %}
{% macro default__geometry_common(a, b) %}st_aswkb(st_intersection(st_geomfromwkb({{ a }}), st_geomfromwkb({{ b }}))){% endmacro %}
{% macro spark__geometry_common(a, b) %}st_asbinary(st_intersection(st_geomfromwkb({{ a }}), st_geomfromwkb({{ b }}))){% endmacro %}

{% macro geometry_rest(a, b) %}{{ return(adapter.dispatch('geometry_rest')(a, b)) }}{% endmacro %}
{% macro default__geometry_rest(a, b) %}st_aswkb(st_difference(st_geomfromwkb({{ a }}), st_geomfromwkb({{ b }}))){% endmacro %}
{% macro spark__geometry_rest(a, b) %}st_asbinary(st_difference(st_geomfromwkb({{ a }}), st_geomfromwkb({{ b }}))){% endmacro %}

{% macro geometry_union(wkb) %}{{ return(adapter.dispatch('geometry_union')(wkb)) }}{% endmacro %}
{% macro default__geometry_union(wkb) %}st_aswkb(st_union_agg(st_geomfromwkb({{ wkb }}))){% endmacro %}
{% macro spark__geometry_union(wkb) %}st_asbinary(st_union_aggr(st_geomfromwkb({{ wkb }}))){% endmacro %}

{% macro day_after(d) %}{{ return(adapter.dispatch('day_after')(d)) }}{% endmacro %}
{% macro default__day_after(d) %}cast({{ d }} + interval 1 day as date){% endmacro %}
{% macro spark__day_after(d) %}date_add({{ d }}, 1){% endmacro %}
