// The same readings into SQLite, with a write-ahead log that is synced at each commit: what people take who want each one kept.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { childSettings, mark } from '../harness/child.ts';

export interface SqliteSettings {
  readonly folder: string;
  readonly devices: number;
  readonly tagsEach: number;
  readonly commitIntervalMs: number;
}

const { folder, devices, tagsEach, commitIntervalMs } = childSettings<SqliteSettings>();
const database = new DatabaseSync(join(folder, 'readings.db'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
database.exec('CREATE TABLE readings (device TEXT, time INTEGER, tag TEXT, value REAL)');
const insert = database.prepare('INSERT INTO readings VALUES (?, ?, ?, ?)');
let readings = 0;
let waiting: [string, number, string, number][] = [];
for (let device = 0; device < devices; device++) {
  setTimeout(
    () =>
      setInterval(() => {
        const time = Date.now();
        for (let tag = 0; tag < tagsEach; tag++)
          waiting.push([`device-${device}`, time, `tag-${tag}`, Math.fround(Math.random())]);
      }, 1000),
    (device * 1000) / devices,
  );
}
setInterval(() => {
  database.exec('BEGIN');
  for (const row of waiting) insert.run(...row);
  database.exec('COMMIT');
  readings += waiting.length;
  waiting = [];
}, commitIntervalMs);
setInterval(() => mark('readings', { readings }), 1000);
