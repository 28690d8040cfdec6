// The module as the image runs it: compiled, with the image's settings, its configuration in a file.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { HubBeside } from '../relay/hub-beside.ts';
import { type Program, type Started, start } from './contender.ts';

export interface ModuleOptions {
  /** Its main file. */
  readonly file: URL;
  /** For its configuration and, unless `dataFolder` says otherwise, its data, which are begun anew. */
  readonly folder: string;
  readonly dataFolder?: string;
  readonly compileCache: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly hub: HubBeside;
  readonly sources: readonly object[];
}

let sites = 0;

export async function moduleProgram(options: ModuleOptions): Promise<Program> {
  const { file, folder, compileCache, environment, hub, sources } = options;
  const dataFolder = options.dataFolder ?? join(folder, 'data');
  rmSync(dataFolder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'holdfast.json');
  writeFileSync(config, JSON.stringify({ dataFolder, statusPort: 0, sources }));
  return {
    name: 'Holdfast',
    args: [fileURLToPath(file), 'run', '--config', config, '--ready-line'],
    env: {
      ...environment,
      NODE_COMPILE_CACHE: compileCache,
      NODE_EXTRA_CA_CERTS: hub.caFile,
      // A folder that is begun anew is another module's: under the same name it would be reported.
      HOLDFAST_CONNECTION_STRING: await hub.register(`site-${sites++}`),
      HOLDFAST_LOG_LEVEL: 'error',
    },
    readings: readingsOf,
  };
}

interface Status {
  readonly sources: readonly { readonly readings: number }[];
  readonly spool: { readonly commits?: number };
}

/** Of all sources: the status lists some of them. */
async function readingsOf({ said }: Started): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${said()?.statusPort}/metrics`)).text();
  const counts = text.matchAll(/^holdfast_source_readings_total\{[^}]*\} (\S+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function statusOf({ said }: Started): Promise<Status> {
  const response = await fetch(`http://127.0.0.1:${said()?.statusPort}/status`);
  return (await response.json()) as Status;
}

/** From its start to the commit that has its first reading, in milliseconds. */
export async function timeToFirstReading(program: Program): Promise<number> {
  const begunAt = performance.now();
  const started = start(program);
  try {
    await started.spoken;
    let commits: number | undefined;
    for (;;) {
      const { sources, spool } = await statusOf(started);
      if (commits !== undefined && spool.commits! > commits) return performance.now() - begunAt;
      if (sources.some(({ readings }) => readings > 0)) commits ??= spool.commits;
      await wait(2);
    }
  } finally {
    await started.stop();
  }
}
