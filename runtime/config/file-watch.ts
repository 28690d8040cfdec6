// Reports changes of files: at once where the operating system notifies, within seconds where it does not (network file
// systems, some bind mounts). Folders are watched rather than files, since editors and deployment tools replace files; a
// change is reported once it has rested for a moment, since tools write files piece by piece.
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';

export interface FileWatchOptions {
  readonly clock: Clock;
  readonly onChange: () => void;
  /** A change counts when nothing has changed for so long. Default 300. */
  readonly restMs?: number;
  /** The interval at which files are checked without a notification. Default 5,000. */
  readonly pollMs?: number;
}

export interface FileWatch {
  /** From now on these. What they are now counts as seen. */
  follow(files: readonly string[]): Promise<void>;
  stop(): void;
}

export function watchFiles({ clock, onChange, restMs = 300, pollMs = 5000 }: FileWatchOptions): FileWatch {
  let files: readonly string[] = [];
  let seen = '';
  let watchers = new Map<string, FSWatcher>();
  let rest: Timer | undefined;
  let poll: Timer | undefined;
  let stopped = false;

  const look = async () => {
    const [asked, now] = [files, await signatureOf(files)];
    if (stopped || asked !== files || now === seen) return;
    // Still being written? Then it differs again after the rest.
    seen = now;
    touched();
  };
  const settle = async () => {
    const [asked, now] = [files, await signatureOf(files)];
    if (stopped || asked !== files) return;
    if (now !== seen) {
      seen = now;
      touched();
    } else onChange();
  };
  const touched = () => {
    rest?.cancel();
    rest = clock.setTimer(restMs, () => void settle());
  };
  const watchFolders = () => {
    const wanted = new Set(files.map((file) => dirname(file)));
    for (const [folder, watcher] of watchers) {
      if (!wanted.has(folder)) watcher.close();
    }
    watchers = new Map([...watchers].filter(([folder]) => wanted.has(folder)));
    for (const folder of wanted) {
      if (watchers.has(folder)) continue;
      const watcher = tryWatch(folder, () => void look());
      if (watcher) watchers.set(folder, watcher);
    }
  };
  const tick = () => {
    poll = clock.setTimer(pollMs, () => {
      // A folder that was not there may have come.
      watchFolders();
      void look().finally(() => !stopped && tick());
    });
  };

  return {
    async follow(next) {
      files = [...new Set(next)].sort();
      watchFolders();
      const asked = files;
      const now = await signatureOf(files);
      if (stopped || asked !== files) return;
      seen = now;
      if (!poll) tick();
    },
    stop() {
      stopped = true;
      rest?.cancel();
      poll?.cancel();
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

function tryWatch(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    // The folder is gone, or the system has no watches left: looking every few seconds is enough.
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

async function signatureOf(files: readonly string[]): Promise<string> {
  const parts = files.map(async (file) => {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(file);
      return [mtimeMs, ctimeMs, size, ino].join(':');
    } catch {
      return 'none';
    }
  });
  return (await Promise.all(parts)).join(' ');
}
