// The detector as its image has it (cloud-lite/Dockerfile), with the packages of this checkout.
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDashboard } from '../../../cloud-lite/dashboard/build.ts';
import { bundle } from '../../../scripts/bundle.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface BuiltDetector {
  readonly main: string;
  readonly dashboard: string;
  /** What the image gives to Node and to the C library, for memory. */
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export async function buildDetector(folder: string): Promise<BuiltDetector> {
  const dist = join(folder, 'dist');
  await bundle('cloud-lite', dist);
  const dashboard = join(dist, 'dashboard');
  await buildDashboard(dashboard);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return { main: join(dist, 'main.cjs'), dashboard, ...imageSettings() };
}

/** Read from the Dockerfile, so that what is measured is what is shipped. */
function imageSettings(): Pick<BuiltDetector, 'nodeArgs' | 'env'> {
  const text = readFileSync(join(root, 'cloud-lite/Dockerfile'), 'utf8');
  const command = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(text)?.[1] ?? '[]') as readonly string[];
  const memory = [...text.matchAll(/\b(MALLOC_\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]);
  return { nodeArgs: command.slice(1, -1), env: Object.fromEntries(memory) };
}
