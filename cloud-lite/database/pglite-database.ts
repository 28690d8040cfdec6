// PGlite: PostgreSQL inside this process, its data in a folder. The only importer of the library.
// It has one connection, so transactions and statements queue up behind each other.
//
// By itself it syncs nothing; synced-file-system.ts lets it, so that a commit outlives the machine. Only its making
// is left unsynced, for speed: that happens beside the folder, which is put in its place when all of it is on
// the disk. So a folder that is there is a whole one.
import { existsSync } from 'node:fs';
import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Database, Session } from './database.ts';
import { databaseError, repeatGivenUp } from './database-error.ts';
import { lockFolder } from './folder-lock.ts';
import { storable } from './storable.ts';
import { type HostModule, offerSync, syncPath, syncTree, watchLog } from './synced-file-system.ts';

const int8Oid = 20;
// Our int8 values are within +-(2^53 - 1) (wire/window.ts), so a number holds them exactly.
const parsers = { [int8Oid]: Number };
/** PostgreSQL's own are for a machine of its own. What is not in these buffers the operating system has in its cache. */
const memory = ['shared_buffers=8MB', 'wal_buffers=1MB', 'maintenance_work_mem=8MB'];
const small = [...PGlite.defaultStartParams, ...memory.flatMap((setting) => ['-c', setting])];
/** -F: do not sync. Of the ways to sync the log only fsync reaches the file system layer. */
const synced = [...small.filter((param) => param !== '-F'), '-c', 'wal_sync_method=fsync'];

/**
 * @param folder where the data lies, made if missing; undefined keeps everything in memory.
 * @param onDiskFailure ends the process: the database can neither go on nor be closed once a sync, or its log, has failed.
 * @throws HoldfastError `database-folder-in-use` while another process has the folder open;
 * `database-folder-damaged` when it does not open.
 */
export async function openPgliteDatabase(
  folder: string | undefined,
  onDiskFailure: (error: unknown) => never = rethrow,
): Promise<Database> {
  const failed = failureOf(onDiskFailure);
  // V8's other compiler takes 600 MB to optimize one of PostgreSQL's functions. Without it a window costs 2 to 18 % more processor time.
  setFlagsFromString('--no-wasm-tier-up');
  setFlagsFromString('--no-wasm-dynamic-tiering');
  if (folder === undefined) {
    return pgliteDatabase(await PGlite.create({ parsers, startParams: small }), failed, async () => {});
  }
  const lock = await lockFolder(folder);
  try {
    await makeIfMissing(folder);
    return pgliteDatabase(await openFolder(folder, onDiskFailure), failed, () => lock.release());
  } catch (error) {
    await lock.release();
    throw databaseError(error);
  }
}

async function openFolder(folder: string, onDiskFailure: (error: unknown) => never): Promise<PGlite> {
  try {
    // The library would make a new database over what is there.
    if (!existsSync(join(folder, 'PG_VERSION'))) throw new Error('there is something, but no PG_VERSION');
    const fs = new SyncedFileSystem(folder, onDiskFailure);
    return await PGlite.create({ parsers, startParams: synced, fs });
  } catch (cause) {
    throw new HoldfastError(
      'database-folder-damaged',
      `the embedded database in ${folder} does not open (${describeError(cause)}). If its disk works and has room, ` +
        'the folder is damaged: the command "rebuild" sets it aside, and the ledger begins anew with all that the hub retains',
      { cause },
    );
  }
}

class SyncedFileSystem extends NodeFS {
  readonly #onFailure: (error: unknown) => never;

  constructor(folder: string, onFailure: (error: unknown) => never) {
    super(folder);
    this.#onFailure = onFailure;
  }

  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...args);
    const before = [emscriptenOpts.preRun ?? []].flat();
    const offer = (module: unknown) => offerSync(module as HostModule, this.#onFailure);
    const watch = (module: unknown) => watchLog(module as HostModule, this.#onFailure);
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...before, offer, watch] } };
  }
}

/** The folder itself is there: the lock made it. */
async function makeIfMissing(folder: string): Promise<void> {
  if (existsSync(join(folder, 'PG_VERSION')) || (await readdir(folder)).length > 0) return;
  const making = `${folder.replace(/\/+$/, '')}.making`;
  // Left by one that was cut off.
  await rm(making, { recursive: true, force: true });
  await (await PGlite.create({ dataDir: making, startParams: small })).close();
  await syncTree(making);
  await rmdir(folder);
  await rename(making, folder);
  syncPath(dirname(folder));
}

/**
 * A panic, and whatever fails on the log, leaves a database that never answers again and lets nothing else run: the next
 * statement spins inside of it. So the process has to end before that.
 */
function failureOf(onDiskFailure: (error: unknown) => never): (error: unknown) => never {
  return (error) => {
    const { severity, code, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
    // Resources, system, internal: no text of a message that was to be written is in those.
    const isOfLog = /^(53|58|XX)/.test(String(code)) && /\bpg_wal\b/.test(String(message));
    if (severity === 'PANIC' || severity === 'FATAL' || isOfLog) onDiskFailure(error);
    throw error;
  };
}

function pgliteDatabase(
  pglite: PGlite,
  failed: (error: unknown) => never,
  release: () => Promise<void>,
): Database {
  const own = sessionOf(pglite, failed);
  let closing: Promise<void> | undefined;
  return {
    engine: 'pglite',
    query: <R extends object>(sql: string, params?: readonly unknown[]) =>
      own.query<R>(sql, params).catch(rethrow),
    script: (sql) => own.script(sql).catch(rethrow),
    transaction: (work) =>
      repeatGivenUp(() => pglite.transaction((tx) => work(sessionOf(tx, failed))).catch(failed)),
    close() {
      closing ??= pglite.close().finally(release);
      return closing;
    },
  };
}

function sessionOf(target: PGlite | Transaction, failed: (error: unknown) => never): Session {
  return {
    query: async <R extends object>(sql: string, params: readonly unknown[] = []) =>
      (await target.query<R>(sql, params.map(storable)).catch(failed)).rows,
    script: async (sql) => {
      await target.exec(sql).catch(failed);
    },
  };
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}
