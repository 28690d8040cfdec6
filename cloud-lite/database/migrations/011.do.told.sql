-- What alerts were raised for and may change (health/lasting.ts, health/losses.ts).
create table told_loss (
  stream_id int8 primary key references stream on delete cascade,
  -- What was void when it was last told of, by reason, in index positions.
  lengths jsonb not null,
  told_at int8 not null,
  -- What arrived before was looked at.
  checked_at int8 not null
);
create table told_gap (gap_id int8 primary key references gap on delete cascade);
create table told_device (device_id text primary key);
