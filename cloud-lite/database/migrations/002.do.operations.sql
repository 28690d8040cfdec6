-- Streams and devices that have stopped sending. A row is there exactly while they are silent.
create table silent_stream (
  stream_id int8 primary key references stream on delete cascade,
  since int8 not null
);

create table silent_device (
  device_id text primary key,
  since int8 not null
);

-- When the partition was last read to its end: what lies before that is known.
alter table checkpoint add column idle_at int8 not null default 0;

-- Changes that people want to be told of, and the queue of their delivery to the webhook.
create table alert (
  id int8 generated always as identity primary key,
  at int8 not null,
  kind text not null,
  device_id text,
  module_id text,
  batch_id text,
  message text not null,
  -- It stands in a detector's log.
  is_logged bool not null default false,
  due_at int8 not null,
  tries int4 not null default 0,
  -- Delivered, or given up, or there is nowhere to deliver to.
  done_at int8
);

create index alert_unlogged on alert (id) where not is_logged;

create index alert_due on alert (due_at) where done_at is null;
create index alert_by_time on alert (at);

-- What a person said when waiving a range.
create table waiver (
  id int8 generated always as identity primary key,
  stream_id int8 not null references stream on delete cascade,
  range int8range not null,
  reason text not null,
  at int8 not null
);
