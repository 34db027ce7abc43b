-- Hours of a sensor (Beijing time): counts and statistics of the valid readings.
select
    sensor_id,
    date,
    hour,
    min(sensor_kind_code) as sensor_kind_code,
    {{ reading_stats('measured_value', 'is_valid') }}
from {{ ref('city_sensing__readings') }}
group by sensor_id, date, hour
