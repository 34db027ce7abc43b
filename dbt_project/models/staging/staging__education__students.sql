-- 中小学学籍: one row a row of feed.education__students.
-- Left behind, because they name a person: person_name, resident_id, guardian_name, guardian_resident_id,
-- guardian_phone.
select
    student_number,
    resident_key,
    sex_code,
    birth_date,
    school_name,
    school_grade,
    school_class,
    residence_address,
    guardian_relation_code,
    guardian_resident_key,
    updated_at,
    _receipt,
    _loaded_at
from {{ source('feed', 'education__students') }}
