-- Late windows claim none of a stream's positions, so no gap shows that one is lost: they are counted instead. Each count
-- (a series of numbers from 1) is a row of its own here, ordered by those numbers: covered are the ones that arrived, the span
-- reaches as far as the stream has said that it has counted, and what is missing is asked for like any other gap.
alter table stream add column late_of int8 references stream on delete cascade;
alter table stream add column late_series text;
alter table stream add check ((late_of is null) = (late_series is null));
alter table stream drop constraint stream_device_id_module_id_batch_id_key;
create unique index stream_name on stream (device_id, module_id, batch_id, coalesce(late_series, '-'));
create index stream_count on stream (late_of) where late_of is not null;

-- A stream and its counts of late windows.
create view stream_family as
  select coalesce(late_of, id) as stream_id, id as member_id from stream;
create index stream_family_of on stream ((coalesce(late_of, id)));

-- Which encoding of its window a part is of: by content, where the sender says so, else by request.
alter table pending_part rename column request_id to encoding;
