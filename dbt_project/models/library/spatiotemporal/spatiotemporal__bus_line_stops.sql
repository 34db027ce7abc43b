-- Bus lines stop by stop, with the stops before and after and how many lines stop there. A stop is known by its name
-- only: the list has no coordinates.
with stops as (
    select
        line_name,
        direction_code,
        stop_number,
        stop_name
    from {{ ref('staging__transport__bus_line_stops') }}
),

served as (
    select
        stop_name,
        count(distinct line_name) as lines_count
    from stops
    group by stop_name
)

select
    stops.line_name,
    stops.direction_code,
    stops.stop_number,
    stops.stop_name,
    lag(stops.stop_name) over (
        partition by stops.line_name, stops.direction_code order by stops.stop_number
    ) as previous_stop_name,
    lead(stops.stop_name) over (
        partition by stops.line_name, stops.direction_code order by stops.stop_number
    ) as next_stop_name,
    cast(count(*) over (partition by stops.line_name, stops.direction_code) as integer) as stops_count,
    cast(served.lines_count as integer) as lines_at_stop_count
from stops
inner join served
    on stops.stop_name = served.stop_name
