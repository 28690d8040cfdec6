-- Gateways of which was told that they do not run the configuration that is wanted, and which that is (health/refused.ts).
create table told_config (device_id text, module_id text, wanted text not null, primary key (device_id, module_id));
