-- Days of a sensor, from its hours; the mean weighs each reading alike.
select
    sensor_id,
    date,
    min(sensor_kind_code) as sensor_kind_code,
    cast(count(*) as integer) as hours_count,
    cast(sum(readings_count) as integer) as readings_count,
    cast(sum(valid_count) as integer) as valid_count,
    sum(sum_value) / nullif(sum(valid_count), 0) as mean_value,
    min(min_value) as min_value,
    max(max_value) as max_value,
    sum(sum_value) as sum_value
from {{ ref('city_sensing__hourly') }}
group by sensor_id, date
