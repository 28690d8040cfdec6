// Makes the embedded database's syncs real. Its files lie in a folder of the host, but of the two ways to sync a file
// WebAssembly's one (fdatasync) does nothing and the other (fsync) calls what the file system layer offers, which
// here is nothing too. This offers it; the database is told to use that one, and not to run with syncs off.
//
// What then holds is PostgreSQL's own argument: a commit returns once its log record is synced, data files are
// synced by a checkpoint before the log that they need is dropped, and torn pages are put right from the log.
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { describeError } from '../../kernel/errors.ts';

/** The part of Emscripten's module that we use: its file system for Node. */
export interface HostModule {
  readonly NODEFS: {
    readonly stream_ops: {
      fsync?: (stream: HostStream) => number;
      write(stream: HostStream, ...more: readonly unknown[]): number;
    };
    readonly node_ops: { mknod(parent: unknown, name: string, ...more: readonly unknown[]): unknown };
    realPath(node: unknown): string;
  };
}

interface HostStream {
  /** Undefined for a folder. */
  readonly nfd?: number;
  readonly node: unknown;
}

/**
 * To be called before the database starts.
 * @param onFailure is told, from within the database, that a sync failed. What was to be written may never reach
 * the disk, so PostgreSQL panics at that; here a panic never ends, so the caller has to end the process.
 */
export function offerSync({ NODEFS }: HostModule, onFailure: (error: unknown) => never): void {
  NODEFS.stream_ops.fsync = (stream) => {
    try {
      syncStream(stream, () => NODEFS.realPath(stream.node));
      return 0;
    } catch (error) {
      return onFailure(error);
    }
  };
}

/**
 * To be called before the database starts.
 * @param onFailure is told that the log cannot be written. PostgreSQL panics at that, or ends; here neither comes to an end, and
 * nothing else in the process ever runs again.
 */
export function watchLog({ NODEFS }: HostModule, onFailure: (error: unknown) => never): void {
  const { stream_ops: streams, node_ops: nodes } = NODEFS;
  const { write } = streams;
  const { mknod } = nodes;
  const ofLog = <T>(path: () => string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (isLog.test(path())) return onFailure(new Error(`${path()} cannot be written: ${reasonOf(error)}`));
      throw error;
    }
  };
  streams.write = (stream, ...more) =>
    ofLog(
      () => NODEFS.realPath(stream.node),
      () => write(stream, ...more),
    );
  nodes.mknod = (parent, name, ...more) =>
    ofLog(
      () => `${NODEFS.realPath(parent)}/${name}`,
      () => mknod(parent, name, ...more),
    );
}

const isLog = /[/]pg_wal[/]/;
/** The numbers of WASI, which Emscripten makes of the host's. */
const reasons: Readonly<Record<string, string>> = {
  19: 'the quota is used up',
  29: 'input/output error',
  33: 'too many open files',
  51: 'no space left on the disk',
  69: 'the disk is read-only',
};

function reasonOf(error: unknown): string {
  const { errno } = (error ?? {}) as { errno?: unknown };
  return reasons[String(errno)] ?? describeError(error);
}

function syncStream({ nfd }: HostStream, path: () => string): void {
  if (nfd === undefined) syncPath(path());
  else fs.fdatasyncSync(nfd);
}

/** Syncs everything under `folder`, and the folder itself: what was written without syncs. */
export async function syncTree(folder: string): Promise<void> {
  const entries = fs.readdirSync(folder, { withFileTypes: true, recursive: true });
  const paths = entries.map(({ parentPath, name }) => `${parentPath}/${name}`);
  // Some at once: the file system then writes its journal once for several.
  const next = async () => {
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      const file = await open(path, 'r');
      await file.sync().finally(() => file.close());
    }
  };
  await Promise.all(Array.from({ length: 8 }, next));
  syncPath(folder);
}

export function syncPath(path: string): void {
  const opened = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(opened);
  } finally {
    fs.closeSync(opened);
  }
}
