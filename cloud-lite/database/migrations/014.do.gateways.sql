-- What modules said of themselves in their twins, as the hub had it when it was last read (gateways/twin-reader.ts).
create table gateway (
  device_id text not null,
  module_id text not null,
  -- Of the device's twin, of its first level, as text.
  tags jsonb not null,
  -- The reported properties; {} where the module never told any.
  reported jsonb not null,
  -- When the module last told, by the hub's word; null where it never did.
  reported_at int8,
  -- Whether the module is connected, by the hub's word; null where the hub does not say.
  is_connected bool,
  version text,
  -- Of the configuration that is wanted, and of the one that runs.
  config_state text,
  config_hash text,
  running_hash text,
  -- What is wrong by the module's own words.
  problems text[] not null,
  -- When the hub was asked.
  read_at int8 not null,
  primary key (device_id, module_id)
);
create index gateway_by_hash on gateway (config_hash);

-- The one reading of all twins, which instances take turns at.
create table twin_reading (
  is_only bool primary key default true check (is_only),
  due_at int8 not null,
  -- An instance reads; it goes on, or ends, by then.
  claimed_until int8 not null,
  -- Of the last reading that reached its end.
  ended_at int8,
  took_ms int8 not null default 0,
  -- Since when the hub gives no answer, and why.
  failing_since int8,
  problem text
);
