// Helpers for tests of damaged folders: makes a spool that was killed during its work, and opens it in a process of its own
// to read its claims.
import { fork, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Claims } from '../../runtime/spool/testing/claims.ts';

/** Makes the folder of a spool that was killed. */
export function makeKilledSpool(folder: string): void {
  const child = join(import.meta.dirname, '../../runtime/spool/testing/damage-child.ts');
  const { signal, stderr } = spawnSync(process.execPath, [child, folder]);
  expect(signal, String(stderr)).toBe('SIGKILL');
}

/** Opens the spool in a process of its own, and resolves with what it claims. `amid` runs meanwhile. */
export async function claimsOf(folder: string, limitMs: number, amid = async () => {}): Promise<Claims> {
  const child = fork(join(import.meta.dirname, 'claims-child.ts'), [folder], { execArgv: [] });
  const tooLate = setTimeout(() => child.kill('SIGTERM'), limitMs);
  let claims: Claims | undefined;
  child.on('message', (said) => {
    claims = said as Claims;
  });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  await amid();
  expect(await ended, folder).toBe(0);
  clearTimeout(tooLate);
  return claims!;
}
