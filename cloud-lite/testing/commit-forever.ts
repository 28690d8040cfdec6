// Commits one row after the other into a PGlite folder, and prints each number once its commit has returned.
// To be killed; without its reader it ends by itself.
import { openPgliteDatabase } from '../database/pglite-database.ts';

const database = await openPgliteDatabase(process.argv[2]);
await database.script(
  'create table if not exists written (n int8 primary key, filling text not null); create index if not exists by_filling on written (filling)',
);
const [last] = await database.query<{ n: number }>('select coalesce(max(n), 0) as n from written');
process.stdout.write(`ready ${last!.n}\n`);
for (let n = last!.n + 1; ; n++) {
  await database.transaction(async (session) => {
    await session.query('insert into written values ($1, $2)', [n, `${n}`.repeat(200)]);
  });
  process.stdout.write(`${n}\n`);
}
