import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * True when a program that the tests need is not on this machine: for `describe.skipIf(...)`. Says what
 * is missing and how to get it. Where skips are forbidden (HOLDFAST_NO_SKIP=1, as in CI) it throws instead.
 */
export function missingPrograms(...names: readonly string[]): boolean {
  const missing = names.filter((name) => !isOnPath(name));
  if (missing.length === 0) return false;
  const advice = `missing programs: ${missing.join(', ')}; .ci/run installs the Debian packages they come from`;
  if (process.env.HOLDFAST_NO_SKIP === '1') throw new Error(advice);
  console.warn(`skipped: ${advice}`);
  return true;
}

function isOnPath(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
