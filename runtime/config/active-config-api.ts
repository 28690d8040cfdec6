// What the module and its active configuration need of each other.
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { watchFiles } from './file-watch.ts';
import type { SaverOptions } from './last-good-saver.ts';
import type { ReloadPlan } from './reload-plan.ts';
import type { Config } from './schema.ts';
import type { SettingStore } from './setting-store.ts';
import type { Working } from './trial.ts';
import type { ConfigReport } from './version.ts';

export interface ActiveConfigOptions {
  /** The gateway's own file; absent: the twin alone decides. */
  readonly file?: string;
  /** Whether the twin is heeded. */
  readonly useTwin: boolean;
  /** The one in use. */
  readonly dataFolder: string;
  /** Folders of files that the twin may name, separated by colons: see remote-files.ts for the default. */
  readonly remoteFolders?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly watch?: typeof watchFiles;
  readonly keepForStart?: SaverOptions['keepForStart'];
}

/** The module, as far as a configuration changes it. */
export interface ConfiguredModule {
  /** Resolves once the parts have taken it. Never rejects for what equipment or network do. */
  apply(next: Config, plan: ReloadPlan): Promise<void>;
  onReport(report: ConfigReport): void;
  /** What works now: the judge of a configuration on trial. */
  working(): Working;
}

export interface ActiveConfig {
  /**
   * What to start with; without any configuration at all, one that reads nothing and waits. `store` has what ran last,
   * and is where what runs is kept.
   * @throws ConfigError when a file is named, it is wrong or not there, nothing ran before, and `mayWait` is false.
   */
  boot(store: SettingStore, mayWait: boolean): Promise<Config>;
  /** From now on changes are applied. */
  start(module: ConfiguredModule): void;
  /** The desired properties, whole. */
  desired(properties: Readonly<Record<string, unknown>>): void;
  /** Reads the files again now (SIGHUP). */
  reread(): void;
  report(): ConfigReport;
  /** The configuration that runs. */
  config(): Config;
  /**
   * Whether what runs is what somebody wants: false while no configuration was had, where the twin, which may hold
   * another one, was not read yet and nothing is known of what ran last, and on a trial, after which the former may return.
   */
  isDecided(): boolean;
  /** No reload begins any more; one that is under way is waited for. */
  stop(): Promise<void>;
}
