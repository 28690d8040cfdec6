-- When the hub first said that the module is not connected, and has not said otherwise since; null while it does not say so.
alter table gateway add column disconnected_at int8;
update gateway set disconnected_at = read_at where is_connected = false;
create index gateway_away on gateway (device_id, module_id) where disconnected_at is not null;
