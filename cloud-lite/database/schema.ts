// Which version of the schema this detector was written for. A database may have another one: a newer detector shares it, or
// ran before. What is missing, covered or void rests on statements that fit the tables; so a detector writes to no other
// version, and says so.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../../kernel/errors.ts';

export const migrationsFolder = fileURLToPath(new URL('./migrations/', import.meta.url));

export const schemaVersion = Math.max(
  ...readdirSync(migrationsFolder).map((name) => Number.parseInt(name, 10) || 0),
);

/** SQL: a column `schema`, for `expectSchema`. */
export const schemaColumn = '(select max(version) from schema_version)::int8 as schema';

/** @throws HoldfastError `database-other-schema` (retryable: whoever has brought it up to date may take that back). */
export function expectSchema(found: number | null): void {
  if (found === schemaVersion) return;
  const what =
    (found ?? 0) > schemaVersion
      ? 'a newer detector has brought it up to date: start that version, or put back the database of before'
      : 'start the detector again, which brings it up to date';
  throw new HoldfastError(
    'database-other-schema',
    `the database has version ${found} of the schema, this detector needs ${schemaVersion}: ${what}`,
    { retryable: true },
  );
}
