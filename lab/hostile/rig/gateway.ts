// The module around one source, as it is built in the product: adapter, supervisor, site clock, windows. Only the disk,
// the time and the way to the equipment are the episode's. It can be stopped, killed and started again.
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { settle, type VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { MakeSource } from '../../../runtime/adapters.ts';
import { buildSource } from '../../../runtime/build-source.ts';
import type { SourceConfig } from '../../../runtime/config/schema.ts';
import type { SourceEvent, SourceHistory, SourceSink } from '../../../runtime/sources/source.ts';
import type { SupervisedSource } from '../../../runtime/sources/supervisor.ts';
import { clockSchema } from '../../../runtime/time/config.ts';
import { createSiteClock, type SiteClock } from '../../../runtime/time/site-clock.ts';
import type { WindowStore } from '../../../runtime/windows/window-store.ts';
import { createWindows } from '../../../runtime/windows/windows.ts';
import type { WindowLimits, Windows } from '../../../runtime/windows/windows-api.ts';
import type { Dice } from '../dice.ts';
import type { Account } from '../judge/account.ts';
import type { Trace } from '../trace.ts';
import { withMethods } from '../with-methods.ts';
import { MemoryTimeStore } from './memory-time-store.ts';
import type { RecordingStore } from './recording-store.ts';

export interface GatewayOptions {
  readonly settings: SourceConfig;
  readonly makeSource: MakeSource;
  readonly clock: VirtualClock;
  readonly store: RecordingStore;
  readonly account: Account;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly limits: WindowLimits;
  /** What stands between adapter and windows, and between these and the disk. Default: nothing. */
  readonly sink?: (inner: SourceSink) => SourceSink;
  readonly disk?: (inner: WindowStore) => WindowStore;
}

const day = 86_400_000;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #timeStore = new MemoryTimeStore();
  /** The machine was started long ago. */
  readonly #boot: { readonly id: string; readonly sinceStartMs: () => number };
  readonly #batchId: string;
  #windows: Windows | undefined;
  #siteClock: SiteClock | undefined;
  #source: SupervisedSource | undefined;
  #life = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { clock, settings } = options;
    this.#boot = { id: 'boot', sinceStartMs: () => clock.monotonic() + day };
    this.#batchId = settings.batchId ?? settings.name;
  }

  get history(): SourceHistory | undefined {
    return this.#source?.source.history;
  }

  get index() {
    return this.#source!.source.index;
  }

  /** Positions are this gateway's own time. */
  get isStampedHere(): boolean {
    return this.#source?.source.stampedByGateway ?? false;
  }

  get isRunning(): boolean {
    return this.#source !== undefined;
  }

  async start(): Promise<void> {
    const { clock, store, settings, makeSource, dice, limits, trace } = this.#options;
    const life = ++this.#life;
    const siteClock = createSiteClock({
      clock,
      boot: this.#boot,
      settings: clockSchema.parse({ trust: 'always', confirmMs: 0 }),
      store: () => this.#timeStore.forLife(() => life === this.#life),
      releasedAt: 0,
      log: silentLog,
      metrics: noMetrics,
    });
    const disk = store.forLife();
    const windows = createWindows({
      store: this.#options.disk?.(disk) ?? disk,
      clock,
      log: silentLog,
      metrics: noMetrics,
      limits,
    });
    const openStream: Windows['openStream'] = (options) =>
      this.#tap(windows, windows.openStream(options), life);
    const tapped = withMethods(windows, { openStream });
    this.#siteClock = siteClock;
    this.#windows = windows;
    this.#source = buildSource(settings, this.#batchId, {
      windows: tapped,
      siteClock,
      makeSource,
      clock,
      random: dice.random,
      metrics: noMetrics,
      log: silentLog,
    });
    await siteClock.start();
    if (life !== this.#life) return;
    trace.note('module', 'starts');
    this.#source.start();
  }

  /** As SIGTERM. */
  async stop(): Promise<void> {
    const { clock, trace, store, account } = this.#options;
    const [source, siteClock, windows] = [this.#source, this.#siteClock, this.#windows];
    this.#source = undefined;
    let isStopped = false;
    const stopped = (async () => {
      await source?.stop();
      await siteClock?.stop();
      await windows?.closeAll();
      isStopped = true;
    })();
    for (let waited = 0; !isStopped && waited < 60_000; waited += 100) await clock.advance(100);
    if (!isStopped) throw new Error('the module does not stop within a minute');
    await stopped;
    this.#life += 1;
    trace.note('module', 'stopped');
    store.restart(this.#batchId, source!.source.index);
    account.newLife();
  }

  /** As SIGKILL. With `rolledBack` the disk comes back as it was so many commits before, or says that it may. */
  async kill(rolledBack?: { readonly commits: number }): Promise<void> {
    const { store, account, trace } = this.#options;
    const source = this.#source!;
    const { index } = source.source;
    trace.note('module', 'killed');
    this.#life += 1;
    this.#source = undefined;
    if (rolledBack) account.rollBack(store.rollBack(rolledBack.commits));
    store.restart(this.#batchId, index);
    account.newLife();
    if (rolledBack) store.loseContinuity();
    // Of the dead process: what it still does reaches nobody.
    void source.stop();
    await settle();
  }

  /** The module drops what comes for so long: the stream is held back. */
  hold(isHeld: boolean): void {
    this.#options.trace.note('module', isHeld ? 'holds the stream back' : 'lets the stream go on');
    this.#windows?.pause(isHeld ? () => true : undefined);
  }

  /** The disk learns that it does not know all that was claimed. */
  doubt(): void {
    this.#options.trace.note('disk', 'what was claimed before is not known for sure');
    this.#windows?.loseContinuity();
  }

  #tap(windows: Windows, inner: SourceSink, life: number): SourceSink {
    const { account, trace } = this.#options;
    const recorded: SourceSink = {
      emit: (event) => {
        // A process that was killed says nothing more.
        if (life !== this.#life) return false;
        const isTaken = inner.emit(event);
        trace.note('adapter', `${describe(event)}${isTaken ? '' : ' (not taken)'}`);
        account.observe(event, isTaken, windows.streams()[0]?.open);
        return isTaken;
      },
      durable: () => (life === this.#life ? inner.durable() : new Promise(() => {})),
      hasRoom: () => inner.hasRoom?.() ?? true,
      begunAnew: () => inner.begunAnew?.() ?? 0,
    };
    return this.#options.sink?.(recorded) ?? recorded;
  }
}

function describe(event: SourceEvent): string {
  switch (event.kind) {
    case 'resumed':
      return `resumed at ${event.at}${event.continues ? ' (continues)' : ''}`;
    case 'observed':
      return `observed until ${event.until}${event.number === undefined ? '' : `, number ${event.number}`}`;
    case 'broken':
      return `broken at ${event.at}: ${event.reason}`;
    case 'readings': {
      const shown = event.readings.slice(0, 6).map(({ index, tag, value, quality }) => {
        return `${tag}@${index}=${JSON.stringify(value)}${quality === 'good' ? '' : ` ${quality}`}`;
      });
      return `readings ${shown.join(', ')}${event.readings.length > 6 ? ' ...' : ''}`;
    }
  }
}
