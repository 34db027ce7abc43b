-- 公共区域视频点位: one row a row of feed.public_security__cameras.
select
    camera_code,
    camera_name,
    camera_kind,
    installed_date,
    removed_date,
    geom_cgcs2000,
    _receipt,
    _loaded_at
from {{ source('feed', 'public_security__cameras') }}
