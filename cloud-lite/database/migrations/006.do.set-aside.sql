-- What a person has accepted of a stream, though no honest clock or counter says it (ingest/plausible.ts).
alter table stream add column accepted int8multirange not null default '{}';

-- Whose messages are set aside, and why: one row for each stream, or for each device where the message names none.
create table set_aside_source (
  device_id text not null,
  module_id text not null,
  -- Empty where the message names no stream that can be one.
  batch_id text not null,
  reason text not null,
  stream_id int8 references stream on delete cascade,
  messages int8 not null,
  first_at int8 not null,
  last_at int8 not null,
  -- Of the last one.
  detail text not null,
  -- From the first position to the last that was claimed.
  range int8range not null default 'empty',
  -- When an alert last told of it.
  told_at int8,
  primary key (device_id, module_id, batch_id, reason)
);
create index set_aside_source_of on set_aside_source (stream_id) where stream_id is not null;
create index set_aside_source_by_time on set_aside_source (last_at);

-- So that what a person accepts can be taken after all.
alter table set_aside add column stream_id int8 references stream on delete set null;
alter table set_aside add column enqueued_at int8 not null default 0;
create index set_aside_of on set_aside (stream_id) where stream_id is not null;
