import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { alertKinds } from './alerts.ts';

test('the manual says of each alert what happened and what to do', () => {
  const manual = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
  const rows = manual.split('\n').filter((line) => line.startsWith('| `'));
  const told = (kind: string) => rows.some((row) => row.split('|')[1]!.includes(`\`${kind}\``));
  expect(alertKinds.filter((kind) => !told(kind))).toEqual([]);
});
