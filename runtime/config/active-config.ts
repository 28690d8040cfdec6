import { codeOf, describeError } from '../../kernel/errors.ts';
import type { ActiveConfig, ActiveConfigOptions, ConfiguredModule } from './active-config-api.ts';
import { ConfigError } from './config-error.ts';
import { type FileWatch, watchFiles } from './file-watch.ts';
import { type LastGood, readLastGood } from './last-good.ts';
import { LastGoodSaver } from './last-good-saver.ts';
import { loadValue } from './load.ts';
import type { Problem } from './problem-text.ts';
import { planReload } from './reload-plan.ts';
import { type RemoteFiles, remoteFilesOf } from './remote-files.ts';
import { logReport } from './report-log.ts';
import type { Config } from './schema.ts';
import type { SettingStore } from './setting-store.ts';
import { bothWorking, needsOf, type RunningTrial, Trial, type Working } from './trial.ts';
import { readTrialNote, type TrialNote, TrialNotes } from './trial-note.ts';
import { type TwinWish, twinWish } from './twin-wish.ts';
import {
  boundErrors,
  type ConfigReport,
  type ConfigStateName,
  type ConfigVersion,
  shownHash,
  versionOf,
} from './version.ts';
import { loadFile, loadOverFile, loadWanted, type Outcome, type Wanted } from './wanted.ts';

export function createActiveConfig(options: ActiveConfigOptions): ActiveConfig {
  return new LayeredConfig(options);
}

/** Nothing to read, everything by default. */
const emptyInput = { sources: [] };

class LayeredConfig implements ActiveConfig {
  readonly #options: ActiveConfigOptions;
  readonly #watch: FileWatch;
  readonly #remote: RemoteFiles;
  #twin: TwinWish | 'unread';
  #running: LastGood | undefined;
  #config: Config | undefined;
  #report: ConfigReport = { state: 'waiting', errors: [] };
  #atNextStart: readonly string[] = [];
  #files: readonly string[] = [];
  #dirty = false;
  #working: Promise<void> | undefined;
  /** Once started. */
  #module: ConfiguredModule | undefined;
  #stopped = false;
  /** Once booted. */
  #saver: LastGoodSaver | undefined;
  readonly #trial: Trial;
  /** What runs lost its trial: what to go back to, and why. */
  #expired: Expired | undefined;
  /** Configurations that lost their trial: not tried again in this process's life, unless somebody says so. */
  readonly #failed = new Map<string, readonly Problem[]>();
  #notes: TrialNotes | undefined;
  /** The note of an earlier process whose trial did not end. */
  #noted: TrialNote | undefined;
  #knowsLast = false;

  /** What runs is not on trial, so no former configuration comes back in its place. */
  #isProven = true;

  constructor(options: ActiveConfigOptions) {
    this.#options = options;
    this.#twin = options.useTwin ? 'unread' : { kind: 'none' };
    const { file: configFile, dataFolder, remoteFolders } = options;
    this.#remote = remoteFilesOf({ named: remoteFolders, configFile, dataFolder });
    this.#trial = new Trial({
      clock: options.clock,
      log: options.log,
      working: () => this.#seen(),
      onPassed: () => this.#pass(),
      onExpired: (trial, problems) => {
        this.#expired = { trial, problems };
        this.#again();
      },
    });
    const watch = options.watch ?? watchFiles;
    this.#watch = watch({ clock: options.clock, onChange: () => this.#again() });
  }

  async boot(store: SettingStore, mayWait: boolean): Promise<Config> {
    const { log } = this.#options;
    this.#saver = new LastGoodSaver({ ...this.#options, store });
    this.#notes = new TrialNotes({ store, log });
    this.#noted = await readTrialNote(store);
    const kept = await readLastGood(store);
    if (kept.kind === 'unusable')
      log.error({ code: 'config-refused', reason: kept.reason }, 'the last good configuration is unusable');
    const last = kept.kind === 'found' ? kept.value : undefined;
    this.#knowsLast = last !== undefined;
    const isTwins = last !== undefined && last.origin !== 'file' && this.#twin === 'unread';
    if (isTwins && last.overlay === undefined) {
      this.#run(last);
      this.#say({ state: 'last-good', origin: last.origin, version: last.version, errors: [] });
      return last.loaded.config;
    }
    const { file } = this.#options;
    const outcome =
      isTwins && last.overlay !== undefined
        ? await loadOverFile(last.version, last.overlay, { file, running: last })
        : await loadFile(file);
    if (outcome.kind === 'loaded') {
      this.#run(outcome.good);
      this.#saver?.save(outcome.good);
      this.#say({ state: isTwins ? 'last-good' : 'applied', ...versionOf(outcome.good), errors: [] });
      return outcome.good.loaded.config;
    }
    return this.#bootWithout(outcome, last, mayWait);
  }

  /** The file cannot be had. */
  async #bootWithout(
    outcome: Exclude<Outcome, { kind: 'loaded' }>,
    last: LastGood | undefined,
    mayWait: boolean,
  ): Promise<Config> {
    const { problems } = outcome;
    const about = outcome.kind === 'wrong' ? outcome.of : {};
    if (last) {
      this.#run(last);
      this.#say({
        state: outcome.kind === 'wrong' ? 'refused' : 'last-good',
        ...about,
        ...boundErrors(problems),
      });
      return last.loaded.config;
    }
    // Without a named file, the twin alone configures, and is waited for.
    if (!mayWait && (outcome.kind === 'wrong' || this.#options.file !== undefined)) {
      throw new ConfigError(this.#options.file ?? 'configuration', problems);
    }
    const { config } = await loadValue(emptyInput, 'no configuration');
    this.#config = config;
    this.#say({
      state: outcome.kind === 'wrong' ? 'refused' : 'waiting',
      ...about,
      ...boundErrors(problems),
    });
    return config;
  }

  start(module: ConfiguredModule): void {
    this.#module = module;
    // Whatever changed since it was read at boot.
    this.#again();
  }

  desired(properties: Readonly<Record<string, unknown>>): void {
    if (!this.#options.useTwin) return;
    this.#twin = twinWish(properties);
    this.#again();
  }

  reread(): void {
    this.#options.log.info({}, 'reading the configuration again');
    this.#failed.clear();
    this.#again();
  }

  report(): ConfigReport {
    return this.#report;
  }

  config(): Config {
    return this.#config!;
  }

  isDecided(): boolean {
    return this.#isProven && this.#running !== undefined && (this.#twin !== 'unread' || this.#knowsLast);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch.stop();
    this.#trial.cancel();
    await this.#working;
  }

  #seen(): Working {
    return this.#module?.working() ?? { hub: false, sources: new Set() };
  }

  /** Applies one change at a time; changes that come meanwhile are handled together afterwards. */
  #again(): void {
    this.#dirty = true;
    if (this.#stopped || this.#module === undefined) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false;
      try {
        if (this.#expired) await this.#fallBack(this.#expired);
        await this.#consider();
      } catch (error) {
        this.#options.log.error(
          { code: codeOf(error, 'unexpected-trouble'), reason: describeError(error) },
          'a change of the configuration could not be processed',
        );
      }
    }
  }

  async #consider(): Promise<void> {
    const files: string[] = this.#options.file === undefined ? [] : [this.#options.file];
    const outcome = await loadWanted(
      { twin: this.#twin, file: this.#options.file, running: this.#running, remote: this.#remote },
      (file) => files.push(file),
    );
    await this.#follow(files);
    if (this.#stopped) return;
    if (outcome.kind === 'loaded') await this.#take(outcome.good);
    else if (outcome.kind === 'wrong') this.#refuse(outcome.of, outcome.problems);
    else this.#goWithout(outcome.problems);
  }

  async #follow(files: readonly string[]): Promise<void> {
    const next = [...new Set(files)].sort();
    if (next.join('\n') === this.#files.join('\n')) return;
    this.#files = next;
    await this.#watch.follow(next);
    // A change between the reading and the watching would be seen by neither.
    this.#dirty = true;
  }

  async #take(good: LastGood): Promise<void> {
    const { dataFolder, log } = this.#options;
    const failed = this.#failed.get(good.hash) ?? this.#failed.get(`${good.hash} ${good.version}`);
    if (failed) return this.#refuse(good, failed, 'reverted');
    const plan = planReload(this.config(), good.loaded.config, dataFolder);
    if (plan.refused.length > 0) return this.#refuse(good, plan.refused);
    const isUnread = this.#twin === 'unread' && good.origin !== 'file';
    const before = this.#running;
    const trial = before?.hash === good.hash ? undefined : this.#trialOf(good, before);
    if (before?.hash !== good.hash) {
      this.#isProven = trial === undefined;
      const { sources, atNextStart } = plan;
      log.info(
        {
          ...versionOf(good),
          started: sources.started.length,
          ended: sources.removed.length,
          kept: sources.kept,
          ...(atNextStart.length > 0 && { atNextStart }),
        },
        'applying a configuration',
      );
      this.#atNextStart = [...new Set([...this.#atNextStart, ...atNextStart])];
      await this.#module?.apply(good.loaded.config, plan);
    }
    this.#run(good);
    if (trial) this.#trial.begin(trial.base, trial.needs, good.loaded.config.revertAfterMs);
    if (
      this.#trial.current === undefined &&
      (before?.hash !== good.hash || before.version !== good.version || !sameOrigin(before, good))
    )
      this.#saver?.save(good);
    const state = isUnread ? 'last-good' : this.#trial.current ? 'trial' : 'applied';
    this.#say({ state, ...versionOf(good), errors: [] });
  }

  /**
   * Whether a configuration that is about to be applied has something to show: measured by what the last one that was on
   * no trial had shown. It takes the place of what is on trial now, which may change nothing any more.
   */
  #trialOf(good: LastGood, before: LastGood | undefined) {
    const noted = this.#noted?.hash === good.hash ? this.#noted.worked : undefined;
    const base =
      this.#trial.current ??
      this.#expired?.trial ??
      (before && { fallback: before, worked: bothWorking(this.#seen(), noted) });
    this.#noted = undefined;
    this.#expired = undefined;
    this.#trial.cancel();
    if (base === undefined) return undefined;
    const plan = planReload(base.fallback.loaded.config, good.loaded.config, this.#options.dataFolder);
    const needs = needsOf(plan, base.worked);
    const { revertAfterMs } = good.loaded.config;
    if (needs.length === 0 || revertAfterMs === 0) {
      this.#notes?.forget();
      return undefined;
    }
    this.#notes?.keep({ hash: good.hash, worked: base.worked });
    return { base, needs };
  }

  #pass(): void {
    const good = this.#running!;
    this.#isProven = true;
    this.#notes?.forget();
    this.#saver?.save(good);
    if (this.#report.state === 'trial') this.#say({ state: 'applied', ...versionOf(good), errors: [] });
  }

  #refuse(of: Wanted, problems: readonly Problem[], state: ConfigStateName = 'refused'): void {
    const { origin, version, hash } = of;
    this.#say({
      ...{ state, origin, version },
      ...(hash !== undefined && { hash: shownHash(hash) }),
      ...boundErrors(problems),
    });
  }

  /** Neither twin nor file has a configuration any more: the running one stays, since nothing asked to stop it. */
  #goWithout(problems: readonly Problem[]): void {
    const running = this.#running;
    if (!running) this.#say({ state: 'waiting', ...boundErrors(problems) });
    else this.#say({ state: 'last-good', ...versionOf(running), ...boundErrors(problems) });
  }

  async #fallBack({ trial: { fallback }, problems }: Expired): Promise<void> {
    const tried = this.#running;
    this.#expired = undefined;
    if (!tried) return;
    // Equipment may only have been off: what somebody sends again is tried again. A way to the hub that did not work would cut
    // this module off again.
    const isHub = problems.some(({ path }) => path === 'uplink');
    this.#failed.set(isHub ? tried.hash : `${tried.hash} ${tried.version}`, problems);
    this.#notes?.forget();
    const plan = planReload(this.config(), fallback.loaded.config, this.#options.dataFolder);
    await this.#module?.apply(fallback.loaded.config, plan);
    this.#run(fallback);
    this.#isProven = true;
  }

  #run(good: LastGood): void {
    this.#running = good;
    this.#config = good.loaded.config;
  }

  #say(report: ConfigReport): void {
    const running = this.#running;
    const isAbout = running && report.version === running.version && report.origin === running.origin;
    const next: ConfigReport = {
      ...report,
      ...(running && !isAbout ? { running: versionOf(running) } : {}),
      ...(this.#atNextStart.length > 0 ? { atNextStart: this.#atNextStart } : {}),
    };
    if (JSON.stringify(next) === JSON.stringify(this.#report)) return;
    this.#report = next;
    logReport(this.#options.log, next);
    this.#module?.onReport(next);
  }
}

interface Expired {
  readonly trial: RunningTrial;
  readonly problems: readonly Problem[];
}

function sameOrigin(a: ConfigVersion, b: ConfigVersion): boolean {
  return a.origin === b.origin;
}
