import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findProgram } from './find-program.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  for (const name of ['first', 'second']) mkdirSync(join(folder, name));
  vi.stubEnv('PATH', [join(folder, 'first'), join(folder, 'second')].join(delimiter));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function put(place: string, mode: number): string {
  const file = join(folder, place);
  writeFileSync(file, '');
  chmodSync(file, mode);
  return file;
}

test('finds the program that is named first, wherever on the path it is', () => {
  put('first/other', 0o755);
  const wanted = put('second/wanted', 0o755);
  expect(findProgram('wanted', 'other')).toBe(wanted);
});

test('finds nothing where there is no such program, or none that can be run', () => {
  put('first/wanted', 0o644);
  expect(findProgram('wanted', 'absent')).toBeUndefined();
});
