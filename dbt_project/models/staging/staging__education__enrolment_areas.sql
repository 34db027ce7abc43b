-- 小学入学划片范围: one row a row of feed.education__enrolment_areas.
select
    enrolment_year,
    school_district_name,
    enrolment_school_name,
    printed_community_name,
    address_fragment,
    _receipt,
    _loaded_at
from {{ source('feed', 'education__enrolment_areas') }}
