// Opens a PGlite folder and says so; from the next line of its input on it begins one file of the log after the other, whatever
// fails. To be run on a disk that is full by then.
import { once } from 'node:events';
import { describeError } from '../../kernel/errors.ts';
import { openPgliteDatabase } from '../database/pglite-database.ts';

const database = await openPgliteDatabase(process.argv[2], (error) => {
  process.stdout.write(`ended by ${describeError(error)}\n`);
  return process.exit(1);
});
await database.script('create table written (n int8)');
process.stdout.write('ready\n');
await once(process.stdin, 'data');
for (let n = 1; n <= 20; n++) {
  const work = () => database.transaction((session) => session.query('insert into written values ($1)', [n]));
  await work().catch(() => {});
  await database.query('select pg_switch_wal()').catch(() => {});
}
process.exit(0);
