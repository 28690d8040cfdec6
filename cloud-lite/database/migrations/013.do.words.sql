-- A time as ISO text; one outside of what a timestamp can hold stays a number.
create function words_of_time(at int8) returns text language sql immutable as $$
  select case when at between -62135596800000 and 253402300799999
              then to_char(timestamp '1970-01-01' + make_interval(secs => at / 1000.0), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
              else at::text end
$$;

-- Ranges as people read them, for alerts and the audit: times without the end, record numbers with it. The first eight; the rest is
-- counted.
create function words_of(kind text, ranges int8multirange) returns text language sql immutable as $$
  select string_agg(
           case when kind = 'time' then words_of_time(lower(r)) || ' to ' || words_of_time(upper(r))
                when upper(r) - lower(r) = 1 then 'record ' || lower(r)
                else 'records ' || lower(r) || ' to ' || upper(r) - 1 end, ', ' order by r) filter (where place <= 8)
         || case when count(*) > 8 then ' and ' || count(*) - 8 || ' more' else '' end
    from unnest(ranges) with ordinality as u(r, place)
$$;
