// Damps crash loops: a module that dies again and again must not hammer its equipment with connections, nor the
// log with starts. A small file in the data folder says how the last run ended; after some quick crashes in a
// row a start waits before its sources run, longer each time. Everything else runs at once: what is stored is
// sent, methods answer, and a configuration that mends the cause can come.
//
// A power cut is no crash: the file names the start of the machine that it belongs to. No time of day is in it,
// since the clock may be wrong at boot. And the file is a help, not a promise: where it cannot be read or written,
// nothing waits.
import { join } from 'node:path';
import { type Clock, type Timer, withTimeout } from '../../kernel/clock.ts';
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { readSmallFile, replaceFile } from '../../kernel/small-file.ts';

export interface StartRecord {
  /** Identifies the start of the machine. */
  readonly boot: string;
  /** Quick crashes in a row before this run. */
  readonly crashes: number;
  /** `running`: not ended in good order, nor held long enough to be called sound. */
  readonly state: 'running' | 'sound' | 'stopped';
}

export interface DampingSettings {
  /** Quick crashes in a row before a start waits. */
  readonly free: number;
  /** A run that held so long was sound. */
  readonly quickMs: number;
  readonly maxPauseMs: number;
}

export interface StartJournal {
  /** Quick crashes in a row before this start. */
  readonly crashes: number;
  /** How long the sources have to wait. */
  readonly pauseMs: number;
  /** The process ends in good order: the next start waits for nothing. Never rejects; bounded to 1 s. */
  stopped(): Promise<void>;
}

const fileName = 'last-run.json';
const maxBytes = 4096;
const firstPauseMs = 1000;
/** A slow disk must delay neither start nor stop. */
const ioLimitMs = 1000;

/** The record of a run that begins now. Pure. */
export function recordOfStart(last: StartRecord | undefined, boot: string): StartRecord {
  const crashed = last?.state === 'running' && last.boot === boot;
  return { boot, crashes: crashed ? last.crashes + 1 : 0, state: 'running' };
}

/** Pure. */
export function pauseAfter(crashes: number, { free, maxPauseMs }: DampingSettings): number {
  if (crashes <= free) return 0;
  return Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(30, crashes - free - 1));
}

export interface StartJournalOptions {
  /** The data folder; held by this process alone. */
  readonly folder: string;
  readonly boot: string;
  readonly settings: DampingSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/** Notes the start. Never rejects. */
export async function openStartJournal(options: StartJournalOptions): Promise<StartJournal> {
  const { folder, boot, settings, clock, log } = options;
  const file = join(folder, fileName);
  const bounded = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await withTimeout(clock, ioLimitMs, work, () => new Error('the disk is slow'));
    } catch (error) {
      log.warn(
        { code: codeOf(error, 'disk-refuses'), reason: describeError(error) },
        'the journal of starts cannot be used: repeated crashes are not counted',
      );
      return undefined;
    }
  };
  const record = recordOfStart(await bounded(readRecord(file)), boot);
  await bounded(writeRecord(file, record));
  let timer: Timer | undefined = clock.setTimer(settings.quickMs, () => {
    timer = undefined;
    void bounded(writeRecord(file, { ...record, state: 'sound' }));
  });
  return {
    crashes: record.crashes,
    pauseMs: pauseAfter(record.crashes, settings),
    async stopped() {
      timer?.cancel();
      await bounded(writeRecord(file, { ...record, state: 'stopped' }));
    },
  };
}

/** Undefined where there is none, or none that makes sense. */
async function readRecord(file: string): Promise<StartRecord | undefined> {
  try {
    const kept = await readSmallFile(file, maxBytes);
    const { boot, crashes, state } = JSON.parse(kept?.toString('utf8') ?? '');
    if (typeof boot !== 'string' || !Number.isSafeInteger(crashes) || crashes < 0) return undefined;
    return ['running', 'sound', 'stopped'].includes(state) ? { boot, crashes, state } : undefined;
  } catch {
    return undefined;
  }
}

async function writeRecord(file: string, record: StartRecord): Promise<void> {
  // Not synced: after a power cut nothing in it counts.
  await replaceFile(file, `${JSON.stringify(record)}\n`, { sync: false });
}
