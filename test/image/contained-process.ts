// A process in a container, started as its image says, and ended by a signal that reaches it: what runs containers
// for buildah hands none on.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root as repository } from '../support/source-tree.ts';
import type { MemoryLimit } from './memory-limit.ts';
import type { Workshop } from './workshop.ts';

export interface ContainedProcess {
  /** The line of JSON that it printed when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Everything that it wrote to standard error. */
  log(): string;
  /** SIGKILL to all of it. */
  kill(): Promise<void>;
  /** SIGTERM; how it ended. */
  end(): Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

export interface ContainedOptions {
  readonly container: string;
  /** The image's entry point, and arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `HOST:CONTAINER` */
  readonly volumes?: readonly string[];
}

/** As the deployment has it run: see confined.sh. */
export interface ConfinedOptions {
  readonly container: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder that is bound to `/data`. */
  readonly data: string;
  readonly memory?: MemoryLimit | undefined;
}

// Starts the command, and ends it when its own input ends.
const supervisor = `
  const [program, ...args] = JSON.parse(process.env.TEST_COMMAND);
  const child = require('node:child_process').spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  process.stdin.resume().on('end', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.stdout.write(JSON.stringify({ ended: { code, signal } }) + '\\n', () => process.exit());
  });`;

/** @throws Error with its log when it ends before it is ready. */
export async function startConfined(
  workshop: Workshop,
  { container, command, env, data, memory }: ConfinedOptions,
): Promise<ContainedProcess> {
  const root = await workshop.buildah('mount', container);
  const { config } = JSON.parse(await workshop.buildah('inspect', container)).OCIv1;
  const set = Object.fromEntries((config.Env as string[]).map((line) => line.split(/=(.*)/s, 2)));
  const script = join(repository, 'test/image/confined.sh');
  const child = spawn(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', script, root, data, 'node', '-e', supervisor],
    {
      env: {
        ...{ ...set, ...env, TEST_COMMAND: JSON.stringify(command) },
        ...(memory && { MEMORY_GROUP: memory.folder }),
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const contained = await untilReady(child);
  return {
    ...contained,
    async kill() {
      await contained.kill();
      await workshop.buildah('umount', container);
    },
    async end() {
      const how = await contained.end();
      await workshop.buildah('umount', container);
      return how;
    },
  };
}

/** @throws Error with its log when it ends before it is ready. */
export async function startContained(
  { env }: Workshop,
  options: ContainedOptions,
): Promise<ContainedProcess> {
  const variables = { ...options.env, TEST_COMMAND: JSON.stringify(options.command) };
  const child = spawn(
    'buildah',
    [
      'run',
      ...Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...(options.volumes ?? []).flatMap((volume) => ['--volume', volume]),
      ...[options.container, '--', 'node', '-e', supervisor],
    ],
    { env, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  return untilReady(child);
}

async function untilReady(child: ChildProcessWithoutNullStreams): Promise<ContainedProcess> {
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the container ended:\n${said}`);
    return JSON.parse(value);
  };
  const ready = await nextLine();
  if (ready.ended !== undefined) throw new Error(`ended before it was ready:\n${said}`);
  return {
    ready,
    log: () => said,
    async kill() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
    async end() {
      child.stdin.end();
      return (await nextLine()).ended;
    },
  };
}
