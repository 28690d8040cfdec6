import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * True when a program that the tests need is not on this machine: for `describe.skipIf(...)`. Says what
 * is missing and how to get it. Where skips are forbidden (HOLDFAST_NO_SKIP=1, as in CI) it throws instead.
 */
export function missingPrograms(...names: readonly string[]): boolean {
  const missing = names.filter((name) => !isOnPath(name));
  return tellMissing('programs', missing);
}

/** Debian's own Python, the one its python3-* packages are for. Another may come first on the path. */
export const systemPython = '/usr/bin/python3';

/** As `missingPrograms`, for modules of the system's Python. */
export function missingPythonModules(...names: readonly string[]): boolean {
  const missing = names.filter((name) => spawnSync(systemPython, ['-c', `import ${name}`]).status !== 0);
  return tellMissing('Python modules', missing);
}

function tellMissing(what: string, missing: readonly string[]): boolean {
  if (missing.length === 0) return false;
  const advice = `missing ${what}: ${missing.join(', ')}; .ci/run installs the Debian packages they come from`;
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
