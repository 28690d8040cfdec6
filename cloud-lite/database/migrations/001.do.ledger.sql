-- Times are UTC epoch milliseconds, taken from the detector's clock. Ranges are half-open, [start, end).

-- One row per stream: the ledger itself.
create table stream (
  id int8 generated always as identity primary key,
  device_id text not null,
  -- Empty for a message that a device sent by itself, without a module.
  module_id text not null,
  batch_id text not null,
  index_kind text not null check (index_kind in ('time', 'sequence')),
  covered int8multirange not null default '{}',
  -- The part of covered that came as backfill.
  backfilled int8multirange not null default '{}',
  -- Everything ever declared void, with or without data that came all the same.
  voided int8multirange not null default '{}',
  -- Accepted as lost by a person.
  waived int8multirange not null default '{}',
  -- The gaps. Stored, so that streams without any cost a sweep nothing (stream_with_gaps).
  missing int8multirange not null generated always as (
    int8multirange(range_merge(covered + voided)) - covered - voided - waived
  ) stored,
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

-- What repair keeps of a stream. Apart from stream, so that a sweep never waits for ingest or holds it up.
create table stream_repair (
  stream_id int8 primary key references stream on delete cascade,
  gaps_found int8 not null default 0,
  gaps_closed int8 not null default 0,
  -- Asked for until the attempt limit, or cancelled by a person: asked for no more, missing all the same.
  abandoned int8multirange not null default '{}'
);

create table void_range (
  stream_id int8 not null references stream on delete cascade,
  reason text not null,
  ranges int8multirange not null,
  primary key (stream_id, reason)
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

-- A hole as it was when it was first seen. What is left of it is range * stream.missing.
create table gap (
  id int8 generated always as identity primary key,
  stream_id int8 not null references stream on delete cascade,
  range int8range not null,
  -- waiting: may only be late. open: found. closed: nothing of it is missing any more.
  state text not null check (state in ('waiting', 'open', 'closed')),
  seen_at int8 not null,
  opened_at int8,
  closed_at int8
);

-- Holes appear only outside of what the stream spanned before, so two live gaps never overlap.
create unique index gap_live on gap (stream_id, lower(range)) where state <> 'closed';
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
  -- Calls in a row that came to nothing, for the backoff.
  failures int4 not null default 0,
  -- The last call did not reach the module.
  unreachable bool not null default false,
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
create index request_due on request (due_at) where state in ('pending', 'accepted');
create index request_by_stream on request (stream_id, created_at);
create index request_ended on request (ended_at) where ended_at is not null;

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
  properties jsonb not null
);

create table set_aside_count (
  partition_id text not null,
  reason text not null,
  messages int8 not null,
  primary key (partition_id, reason)
);
