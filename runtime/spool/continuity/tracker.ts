// Tracks whether this spool is the one that the last run left, keeps the marks by which the next start can tell, and learns
// later from the hub whether a further state of the spool was known.
//
// Crash argument. A start first brings the mark to where the store is, synced: a power cut may have left it, or may yet leave it,
// as it was many starts ago. Then it tells the store, synced, its number, which file the mark is, and which start that has on the
// disk (an earlier one, where the disk refused); then it writes the marks. Between the two the marks are one start behind, which
// is taken for what it is. What was found lost is told to the store before the mark is synced: it must not be found whole. After each synced batch the mark
// beside the store is written before anybody hears that the batch is safe: so whatever was promised to anybody, the mark
// knows of, as long as the machine runs. The mark elsewhere may be on another file system, and costs that one writes: it
// is written now and then.
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { displace } from '../../../kernel/small-file.ts';
import type { SpoolCore } from '../core/core.ts';
import type { StreamTable } from '../core/streams.ts';
import type { BatchOp } from '../engine/store.ts';
import { folderKey } from '../format/keys.ts';
import { type FolderRecord, type Run, readFolderRecord } from './folder-record.ts';
import { judge, olderThan, otherThan, type Verdict } from './judge.ts';
import { type Mark, MarkFile, readMark } from './mark-file.ts';

/** The state of the spool that is reported to the hub, and that a later start compares with. */
export interface SpoolLife {
  /** Id of the spool: another data folder has another one. */
  readonly spool: string;
  readonly start: number;
  readonly commits: number;
  /** Id of the start: no other start has it. */
  readonly run?: string;
}

export interface ContinuityStats {
  readonly state: 'proven' | 'lost';
  /** For people, where it is lost. */
  readonly reason?: string;
  /** Wall clock, epoch ms. */
  readonly at?: number;
}

export interface ContinuityOptions {
  /** Where the mark beside the store is. */
  readonly mark: string;
  /** A folder outside of the data folder, for a second one. */
  readonly elsewhere?: string;
  /** Identifies the start of the machine. */
  readonly boot: string;
  /** The module as the hub knows it; undefined where it is not known. */
  readonly owner?: string | undefined;
  /** `hear` will be called. */
  readonly asksHub: boolean;
  /** The one that file systems stamp with. */
  readonly wallClock: Clock;
  readonly newId: () => string;
  readonly log: Log;
}

const elsewhereEveryMs = 60_000;
// The hub was told of one of the last starts, unless it was not reached for as many.
const maxRuns = 64;

export class ContinuityTracker {
  readonly #options: ContinuityOptions;
  #record: FolderRecord = { id: '', starts: 0 };
  #beside: MarkFile | undefined;
  #elsewhere: MarkFile | undefined;
  #commits = 0;
  /** As it was when this process opened it. */
  #found: { readonly starts: number; readonly commits: number } = { starts: 0, commits: 0 };
  #elsewhereAt = 0;
  #stats: ContinuityStats = { state: 'proven' };
  #isTold = false;

  constructor(options: ContinuityOptions) {
    this.#options = options;
  }

  get stats(): ContinuityStats {
    return this.#stats;
  }

  get life(): SpoolLife {
    const run = this.#record.runs?.at(-1)?.[1];
    const { id: spool, starts: start } = this.#record;
    return { spool, start, commits: this.#commits, ...(run === undefined ? {} : { run }) };
  }

  /**
   * Before anything else is written. `repair`: why the store was rebuilt, if it was. What is lost is lost for all
   * streams.
   */
  async begin(core: SpoolCore, streams: StreamTable, repair: string | undefined): Promise<Verdict> {
    const { newId, boot } = this.#options;
    const known = await readFolderRecord(core.store, core.codec);
    const isNew = core.nextId === 1 && streams.all().length === 0 && repair === undefined;
    const commits = core.commits;
    this.#beside = await this.#open(this.#options.mark);
    const beside = this.#beside?.found;
    const id = known?.id ?? core.store.identity ?? beside?.mark?.spool ?? newId();
    const elsewhere = await this.#readElsewhere(id);
    const verdict: Verdict =
      repair === undefined
        ? judge({ record: known, commits, isNew, beside, elsewhere, boot })
        : { continuity: 'lost', reason: repair, isDamage: false };
    const marks = [...(beside?.mark?.spool === id ? [beside.mark] : []), ...elsewhere];
    // Above all that was ever seen, so that what is found now is not found again.
    const starts = Math.max(known?.starts ?? 0, ...marks.map(({ start }) => start)) + 1;
    core.countFrom(Math.max(commits, ...marks.map((mark) => mark.commits)));
    this.#found = { starts: starts - 1, commits: core.commits };
    const { runs = [], deniedBelow = 0 } = known ?? {};
    const owner = this.#options.owner ?? known?.owner;
    const isLost = verdict.continuity === 'lost';
    const foundStart = beside?.mark?.spool === id ? beside.mark.start : 0;
    this.#record = {
      id,
      ...(owner === undefined ? {} : { owner }),
      starts,
      ...(beside === undefined ? {} : { mark: beside.identity }),
      markStart: isLost ? Math.min(foundStart, starts - 1) : (known?.markStart ?? starts - 2),
      runs: [...runs.slice(1 - maxRuns), [starts, newId().slice(0, 8), core.commits]],
      deniedBelow,
    };
    core.hub = { state: this.#options.asksHub ? 'awaited' : 'not-asked', start: starts, deniedBelow };
    if (isLost) this.#lose(streams, verdict.reason, repair === undefined ? undefined : 'spool-damage');
    // A spool that was closed has synced it.
    else if ((foundStart === starts - 1 && beside?.mark?.closed) || (await this.#bringUp(core.commits)))
      this.#record = { ...this.#record, markStart: starts - 1 };
    await this.#submit(core, streams);
    await this.#writeMarks(core.commits);
    if (isLost) await this.#beside?.sync().catch((error) => this.#complain(error));
    core.onSynced(() => this.#synced(core.commits));
    return verdict;
  }

  /**
   * What an earlier process of this module told outside. At most the first word of it counts: from then on what is told
   * there is ours. Returns why the spool is not the one that was left; undefined where nothing speaks against it.
   */
  async hear(told: Partial<SpoolLife>, core: SpoolCore, streams: StreamTable): Promise<string | undefined> {
    if (this.#isTold) return undefined;
    this.#isTold = true;
    const reason = this.#contradiction(told);
    if (reason === undefined) {
      core.hub = { ...core.hub, state: 'confirms' };
      return undefined;
    }
    const { start = 0, commits = 0 } = told.spool === this.#record.id ? told : {};
    const deniedBelow = core.nextId;
    core.hub = { ...core.hub, state: 'denies', deniedBelow };
    const starts = Math.max(this.#record.starts, start + 1);
    const runs = (this.#record.runs ?? []).map(
      (run, n, all): Run => (n < all.length - 1 ? run : [starts, run[1], run[2]]),
    );
    this.#record = { ...this.#record, starts, runs, deniedBelow };
    core.countFrom(Math.max(core.commits, commits));
    this.#lose(streams, reason);
    await this.#submit(core, streams);
    await this.#writeMarks(core.commits);
    return reason;
  }

  /** After the last batch. */
  async close(): Promise<void> {
    const mark = { ...this.#mark(), closed: true };
    for (const file of [this.#beside, this.#elsewhere]) {
      await file?.close(mark).catch((error) => this.#complain(error));
    }
  }

  #contradiction({ spool, start, commits, run }: Partial<SpoolLife>): string | undefined {
    if (typeof spool !== 'string') return undefined;
    if (spool !== this.#record.id) return `the hub knows this module by another data folder (${spool})`;
    const known = { start: numberOf(start), commits: numberOf(commits) };
    const { runs = [] } = this.#record;
    const older =
      olderThan(this.#found, known) ??
      (typeof run === 'string' ? otherThan(runs, { ...known, run }) : undefined);
    return older && `the data folder was put back to an earlier state: the hub was told that ${older}`;
  }

  #lose(streams: StreamTable, reason: string, code = 'data-folder-put-back'): void {
    streams.lose();
    this.#stats = { state: 'lost', reason, at: this.#options.wallClock.now() };
    const text = 'cannot prove that the data folder is the latest state: every stream starts with a break';
    this.#options.log.error({ code, reason }, text);
  }

  #submit(core: SpoolCore, streams: StreamTable): Promise<void> {
    const records =
      this.#stats.state === 'lost' ? streams.all().flatMap((each) => streams.recordOps(each)) : [];
    return core.submit({ ops: [this.recordOp(core), ...records], sync: true });
  }

  /** For a rebuilt store. */
  recordOp(core: SpoolCore): BatchOp {
    return core.putJson('S', folderKey, this.#record);
  }

  /** False where the disk refused. */
  async #bringUp(commits: number): Promise<boolean> {
    const mark = { ...this.#mark(), start: this.#record.starts - 1, commits };
    try {
      await this.#beside?.write(mark);
      await this.#beside?.sync();
      return this.#beside !== undefined;
    } catch (error) {
      this.#complain(error);
      return false;
    }
  }

  #mark(): Omit<Mark, 'at'> {
    const { id, starts } = this.#record;
    return { spool: id, start: starts, commits: this.#commits, boot: this.#options.boot, closed: false };
  }

  async #synced(commits: number): Promise<void> {
    this.#commits = commits;
    await this.#beside?.write(this.#mark()).catch((error) => this.#complain(error));
    const now = this.#options.wallClock.monotonic();
    if (now - this.#elsewhereAt < elsewhereEveryMs) return;
    this.#elsewhereAt = now;
    this.#elsewhere?.write(this.#mark()).catch((error) => this.#complain(error));
  }

  async #writeMarks(commits: number): Promise<void> {
    this.#commits = commits;
    this.#elsewhereAt = this.#options.wallClock.monotonic();
    const path = this.#elsewherePath(this.#record.id);
    if (this.#elsewhere === undefined && path !== undefined) this.#elsewhere = await this.#open(path);
    for (const file of [this.#beside, this.#elsewhere]) {
      await file?.write(this.#mark()).catch((error) => this.#complain(error));
    }
  }

  async #readElsewhere(id: string): Promise<readonly Mark[]> {
    const path = this.#elsewherePath(id);
    const found = path === undefined ? undefined : await readMark(path).catch(() => undefined);
    return found?.mark?.spool === id ? [found.mark] : [];
  }

  #elsewherePath(id: string): string | undefined {
    const { elsewhere } = this.#options;
    // The id comes from a file: it must not name another folder.
    return elsewhere === undefined || !/^[\w-]{1,64}$/.test(id) ? undefined : join(elsewhere, `${id}.mark`);
  }

  async #open(path: string): Promise<MarkFile | undefined> {
    const open = () => MarkFile.open(path, () => this.#options.wallClock.now());
    try {
      // What cannot be read tells nothing: another one is begun beside it.
      return (await open().catch(() => undefined)) ?? (await displace(path).then(open));
    } catch (error) {
      this.#complain(error);
      return undefined;
    }
  }

  // Without it the next start says that it does not know: that is all.
  #complain(error: unknown): void {
    this.#options.log.warn(
      { code: codeOf(error, 'disk-refuses'), error: describeError(error) },
      'the high-water mark cannot be written; the next start may not be able to prove that the data folder is the latest state',
    );
  }
}

const numberOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : 0;
