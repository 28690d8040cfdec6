// Where images are built for tests: buildah with a storage of its own, and base images made here.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../support/source-tree.ts';

const run = promisify(execFile);

export type Architecture = 'amd64' | 'arm64';

export interface Workshop {
  /** For what tests need on disk; gone with the rest. */
  readonly folder: string;
  /** For processes that call buildah by themselves. */
  readonly env: NodeJS.ProcessEnv;
  buildah(...args: string[]): Promise<string>;
  /** Builds a Dockerfile of the project. */
  build(dockerfile: string, architecture: Architecture, tag: string): Promise<void>;
  /** The names of what lies in a folder of a container. */
  list(container: string, folder: string): Promise<string[]>;
  close(): void;
}

/** Makes the bases, which takes most of a minute. */
export async function openWorkshop(): Promise<Workshop> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  const settings = join(folder, 'storage.conf');
  const storage = {
    driver: storageDriver(folder),
    graphroot: join(folder, 'storage'),
    runroot: join(folder, 'run'),
  };
  const lines = Object.entries(storage).map(([name, value]) => `${name} = "${value}"`);
  writeFileSync(settings, ['[storage]', ...lines, ''].join('\n'));
  const env = {
    ...process.env,
    CONTAINERS_STORAGE_CONF: settings,
    BUILDAH_ISOLATION: 'chroot',
    // Docker's own form keeps the name of the container that it was made in.
    BUILDAH_FORMAT: 'oci',
  };
  const buildah = async (...args: string[]) => {
    const options = { cwd: root, env, maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await run('buildah', args, options).catch((error: Error & { stdout?: string }) => {
      throw new Error(`${error.message}\n${error.stdout?.slice(-4000)}`, { cause: error });
    });
    return stdout.trim();
  };
  await run('bash', [join(root, 'test/image/make-bases.sh'), join(folder, 'bases')], { env });
  const npmCache = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
  mkdirSync(npmCache, { recursive: true });
  return {
    folder,
    env,
    buildah,
    async build(dockerfile, architecture, tag) {
      await buildah(
        ...['bud', '--pull-never', '--platform', `linux/${architecture}`, '-f', dockerfile],
        // As a release has it: the time of all files.
        ...['--timestamp', '1764547200'],
        ...['-t', tag, '--volume', `${npmCache}:/root/.npm`],
        // Docker's builder sets this one by itself.
        ...['--build-arg', `BUILDPLATFORM=linux/${process.arch === 'x64' ? 'amd64' : process.arch}`],
        ...['--build-arg', 'BUILD_IMAGE=localhost/holdfast-base:build'],
        ...['--build-arg', `RUNTIME_IMAGE=localhost/holdfast-base:${architecture}`, '.'],
      );
    },
    list: async (container, inside) => (await buildah('run', container, '--', 'ls', inside)).split('\n'),
    close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Layers where the kernel lets us, else whole copies, which take their time. */
function storageDriver(folder: string): 'overlay' | 'vfs' {
  const probe = join(folder, 'probe');
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(probe, name), { recursive: true });
  const options = `lowerdir=${probe}/lower,upperdir=${probe}/upper,workdir=${probe}/work`;
  const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, join(probe, 'merged')]);
  if (mounted.status !== 0) return 'vfs';
  spawnSync('umount', [join(probe, 'merged')]);
  return 'overlay';
}
