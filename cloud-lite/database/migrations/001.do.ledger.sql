-- Times are UTC epoch milliseconds, taken from the detector's clock. Ranges are half-open, [start, end).

-- The part of `ranges` from a position on; all of it where the position is null.
create function ranges_from(ranges int8multirange, start int8) returns int8multirange language sql immutable as
  $$ select case when $2 is null then $1 else $1 * int8multirange(int8range($2, null)) end $$;

-- Positions in all: milliseconds, or records.
create function length_of(ranges int8multirange) returns int8 language sql immutable as
  $$ select coalesce(sum(upper(x) - lower(x)), 0)::int8 from unnest($1) x $$;

-- One row per stream: the ledger itself, with the newest of its ranges. It is written with every message, so it must
-- stay small however many holes a stream has had: older ranges are in stream_archive (ledger/archive.ts).
create table stream (
  id int8 generated always as identity primary key,
  device_id text not null,
  -- Empty for a message that a device sent by itself, without a module.
  module_id text not null,
  batch_id text not null,
  index_kind text not null check (index_kind in ('time', 'sequence')),
  -- From the first position of which anything is known to the last, archive included.
  span int8range not null default 'empty',
  -- The ranges of what lies before are in stream_archive; null while there is nothing there. Never below span's start.
  archived_until int8,
  covered int8multirange not null default '{}',
  -- The part of covered that came as backfill.
  backfilled int8multirange not null default '{}',
  -- Everything ever declared void, with or without data that came all the same.
  voided int8multirange not null default '{}',
  -- Accepted as lost by a person.
  waived int8multirange not null default '{}',
  -- The gaps. Stored, so that streams without any cost a sweep nothing (stream_with_gaps).
  missing int8multirange not null generated always as (
    ranges_from(int8multirange(span), archived_until) - covered - voided - waived
  ) stored,
  -- The end of what arrived.
  newest int8,
  messages int8 not null default 0,
  duplicates int8 not null default 0,
  readings int8 not null default 0,
  created_at int8 not null,
  last_arrival_at int8 not null,
  -- 0 before any backfill arrived.
  last_backfill_at int8 not null default 0,
  unique (device_id, module_id, batch_id)
) with (fillfactor = 70);

create index stream_with_gaps on stream (id) where missing <> '{}';

-- What is known of a period of a stream, [low, high), that lies before stream.archived_until. The periods of a
-- stream touch; the last one ends there. What arrives for the past of a stream is written here, into the one row or
-- the few that it lies in; what lies before the first one's low makes that one begin earlier.
create table stream_archive (
  id int8 generated always as identity primary key,
  stream_id int8 not null references stream on delete cascade,
  low int8 not null,
  high int8 not null,
  covered int8multirange not null,
  backfilled int8multirange not null,
  voided int8multirange not null,
  waived int8multirange not null,
  missing int8multirange not null generated always as (
    int8multirange(int8range(low, high)) - covered - voided - waived
  ) stored,
  -- So that sums over a stream need not unpack ten years of ranges.
  covered_length int8 not null generated always as (length_of(covered)) stored,
  excused_length int8 not null generated always as (length_of(voided + waived - covered)) stored
);

create index stream_archive_low on stream_archive (stream_id, low);
create index stream_archive_high on stream_archive (stream_id, high);
create index stream_archive_with_gaps on stream_archive (stream_id, low) where missing <> '{}';

-- All ranges of a stream: the archive's, and at segment 0 the stream row's own.
create view stream_segment as
  select id as stream_id, 0::int8 as segment_id, coalesce(archived_until, lower(span)) as low, upper(span) as high,
         covered, backfilled, voided, waived, missing,
         length_of(covered) as covered_length, length_of(voided + waived - covered) as excused_length
    from stream
   union all
  select stream_id, id, low, high, covered, backfilled, voided, waived, missing, covered_length, excused_length
    from stream_archive;

-- What repair keeps of a stream. Apart from stream, so that a sweep never waits for ingest or holds it up.
create table stream_repair (
  stream_id int8 primary key references stream on delete cascade,
  gaps_found int8 not null default 0,
  gaps_closed int8 not null default 0
);

-- Of each segment of a stream.
create table void_range (
  stream_id int8 not null references stream on delete cascade,
  segment_id int8 not null default 0,
  reason text not null,
  ranges int8multirange not null,
  primary key (stream_id, segment_id, reason)
);

-- Parts of windows whose other parts have not arrived. request_id tells apart the answers to different
-- requests (and the live window, ''): parts of two encodings of one window never make up one window.
create table pending_part (
  stream_id int8 not null references stream on delete cascade,
  window_start int8 not null,
  window_end int8 not null,
  parts int4 not null,
  request_id text not null,
  part int4 not null,
  seen_at int8 not null,
  primary key (stream_id, window_start, window_end, parts, request_id, part)
);

create index pending_part_end on pending_part (stream_id, window_end);

-- A hole as it was when it was first seen. What is left of it is what is missing of its range.
create table gap (
  id int8 generated always as identity primary key,
  stream_id int8 not null references stream on delete cascade,
  range int8range not null,
  -- waiting: may only be late. open: found. closed: nothing of it is missing any more.
  state text not null check (state in ('waiting', 'open', 'closed')),
  -- Asked for until the attempt limit, or cancelled by a person: asked for no more, missing all the same.
  abandoned int8multirange not null default '{}',
  -- All of what is left is abandoned.
  given_up bool not null default false,
  seen_at int8 not null,
  opened_at int8,
  closed_at int8
);

-- A gap is only noticed where no live one is, so two live gaps never overlap.
create unique index gap_live on gap (stream_id, lower(range)) where state <> 'closed';
create index gap_waiting on gap (seen_at) where state = 'waiting';
create index gap_to_ask on gap (stream_id, lower(range)) where state = 'open' and not given_up;
create index gap_abandoned on gap (stream_id, lower(range)) where state <> 'closed' and abandoned <> '{}';
create index gap_closed on gap (closed_at) where state = 'closed';

create table request (
  id text primary key,
  stream_id int8 not null references stream on delete cascade,
  range int8range not null,
  -- What was missing of the range when it was last looked at.
  remaining int8multirange not null,
  state text not null check (
    state in ('pending', 'accepted', 'closed', 'partly-void', 'expired', 'abandoned', 'cancelled')
  ),
  origin text not null check (origin in ('detector', 'person')),
  attempt int4 not null,
  -- pending: when to send next. accepted: when to look after it next.
  due_at int8 not null,
  -- A call is being made; it ends by then, also when whoever makes it is gone.
  claimed_until int8 not null default 0,
  -- Calls in a row that came to nothing, for the backoff.
  failures int4 not null default 0,
  -- The module cannot be reached (module_contact).
  unreachable bool not null default false,
  -- Since when the module answers, and does not take it.
  declined_at int8,
  tried_at int8,
  -- What the last call brought, for people.
  answer text,
  created_at int8 not null,
  accepted_at int8,
  -- When the module first said that it has queued all it has.
  answered_at int8,
  progress_at int8 not null,
  ended_at int8
);

create index request_open on request (stream_id) where state in ('pending', 'accepted');
create index request_open_by_id on request (id) where state in ('pending', 'accepted');
create index request_due on request (due_at) where state in ('pending', 'accepted');
create index request_by_stream on request (stream_id, created_at);
create index request_by_place on request (stream_id, lower(range));
create index request_ended on request (ended_at) where ended_at is not null;

create index request_claimed on request (claimed_until) where state = 'pending' and claimed_until > 0;
create index request_accepted on request (stream_id) where state = 'accepted';

-- Modules that the last call did not reach, or that had no time. All requests to such a one wait for one call at a time.
create table module_contact (
  device_id text not null,
  module_id text not null,
  unreachable bool not null,
  failures int4 not null,
  due_at int8 not null,
  tried_at int8 not null,
  -- A call is being made.
  called_until int8 not null default 0,
  primary key (device_id, module_id)
);

-- Every change of state, with its time and cause.
create table audit (
  id int8 generated always as identity primary key,
  at int8 not null,
  subject text not null,
  subject_id text not null,
  stream_id int8 references stream on delete cascade,
  event text not null,
  cause text
);

create index audit_by_time on audit (at);
create index audit_by_stream on audit (stream_id, id);

create table checkpoint (
  hub text not null,
  consumer_group text not null,
  partition_id text not null,
  sequence_number int8 not null,
  event_offset text not null,
  enqueued_at int8 not null,
  events int8 not null,
  updated_at int8 not null,
  primary key (hub, consumer_group, partition_id)
);

create table ownership (
  hub text not null,
  consumer_group text not null,
  partition_id text not null,
  owner_id text not null,
  instance text not null,
  etag text not null,
  modified_at int8 not null,
  primary key (hub, consumer_group, partition_id)
);

-- Messages that were not ours or not readable: the newest are kept, all are counted.
create table set_aside (
  id int8 generated always as identity primary key,
  at int8 not null,
  partition_id text not null,
  sequence_number int8 not null,
  device_id text,
  module_id text,
  reason text not null,
  detail text not null,
  -- Whatever they were, as JSON, cut where it is long. Text: there is no JSON that text refuses.
  properties text not null
);

create table set_aside_count (
  partition_id text not null,
  reason text not null,
  messages int8 not null,
  primary key (partition_id, reason)
);
