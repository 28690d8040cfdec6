// Compiles a C program that stands beside this file. Undefined, with the reason, where that cannot be done here.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Built = { readonly file: string } | { readonly missing: string };

export function buildC(name: string, folder: string, libraries: readonly string[] = []): Built {
  const source = fileURLToPath(new URL(`./${name}.c`, import.meta.url));
  const file = join(folder, name);
  const { flags, missing } = flagsFor(libraries);
  if (missing !== undefined) return { missing };
  const { error, status, stderr } = spawnSync('cc', ['-O2', '-o', file, source, ...flags], {
    encoding: 'utf8',
  });
  if (error) return { missing: 'no C compiler (Debian: gcc)' };
  return status === 0 ? { file } : { missing: `${name}.c does not compile: ${stderr.split('\n')[0]}` };
}

function flagsFor(libraries: readonly string[]): { flags: readonly string[]; missing?: string } {
  if (libraries.length === 0) return { flags: [] };
  const found = spawnSync('pkg-config', ['--cflags', '--libs', ...libraries], { encoding: 'utf8' });
  if (found.error) return { flags: [], missing: 'no pkg-config (Debian: pkg-config)' };
  if (found.status !== 0)
    return { flags: [], missing: `no ${libraries.join(', ')} (Debian: ${libraries[0]}-dev)` };
  return { flags: found.stdout.trim().split(/\s+/) };
}
