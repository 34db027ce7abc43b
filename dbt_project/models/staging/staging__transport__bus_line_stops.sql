-- 公交线路站序: one row a row of feed.transport__bus_line_stops.
select
    line_name,
    direction_code,
    stop_number,
    stop_name,
    _receipt,
    _loaded_at
from {{ source('feed', 'transport__bus_line_stops') }}
