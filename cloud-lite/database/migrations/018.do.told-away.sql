-- Gateways of which was told that they are not connected (health/away.ts).
create table told_away (device_id text, module_id text, primary key (device_id, module_id));
