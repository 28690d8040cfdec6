// The sources that run, by stream. One that cannot be built is reported and left out, and a change stops and starts
// only what it names: no source ever keeps another from running.
import { describeError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';

export interface SetMember {
  start(): void;
  /** Prompt and bounded; never rejects. */
  stop(): Promise<void>;
}

export interface SourceSettings {
  readonly name: string;
  readonly batchId?: string | undefined;
}

export interface SourceSetOptions<Settings extends SourceSettings, Member extends SetMember> {
  /** Opens the stream and builds the source; the stream may be open already, and then goes on. May throw. */
  readonly build: (settings: Settings, batchId: string) => Member;
  /** Closes the window of a stream that no source feeds any more. */
  readonly closeStream: (batchId: string) => Promise<void>;
  readonly log: Log;
}

export interface SourceSet<Settings, Member> {
  /** Builds what is to run at first. */
  load(settings: readonly Settings[]): void;
  /** Starts everything built; from now on a change starts what it builds. */
  start(): void;
  /** Resolves once what ended has ended and what is new has started. One call at a time. */
  change(removed: readonly string[], started: readonly Settings[]): Promise<void>;
  /** Stops everything, also amid a change. Idempotent. */
  stop(): Promise<void>;
  readonly running: ReadonlyMap<string, Member>;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** The configuration has the stream's source, but it could not be built: what its equipment has, nobody can say. */
  isFailed(batchId: string): boolean;
}

export function createSourceSet<Settings extends SourceSettings, Member extends SetMember>(
  options: SourceSetOptions<Settings, Member>,
): SourceSet<Settings, Member> {
  const { build, closeStream, log } = options;
  const running = new Map<string, Member>();
  const failed = new Map<string, { name: string; reason: string }>();
  let isStarted = false;
  let isStopping = false;

  const add = (settings: Settings): Member | undefined => {
    const { name } = settings;
    const batchId = settings.batchId ?? name;
    try {
      const member = build(settings, batchId);
      running.set(batchId, member);
      failed.delete(batchId);
      return member;
    } catch (error) {
      running.delete(batchId);
      failed.set(batchId, { name, reason: describeError(error) });
      log.error({ source: name, reason: describeError(error) }, 'this source cannot run; the others do');
      return undefined;
    }
  };
  const close = (batchId: string) => {
    // In the background: it resolves when the disk has it, and the disk may be slow.
    closeStream(batchId).catch((error) =>
      log.warn({ batchId, reason: describeError(error) }, 'a stream was not closed'),
    );
  };

  return {
    running,
    get failed() {
      return [...failed.values()];
    },
    isFailed: (batchId) => failed.has(batchId),
    load(settings) {
      for (const each of settings) add(each);
    },
    start() {
      isStarted = true;
      if (!isStopping) for (const member of running.values()) member.start();
    },
    async change(removed, started) {
      const ids = [...removed, ...started.map(({ name, batchId }) => batchId ?? name)];
      // All of them first: the equipment may allow one connection only, and units may share a line. A source
      // stays known until its successor takes its place, so that a backfill of its range waits and is not void.
      await Promise.all(ids.map((id) => running.get(id)?.stop()));
      if (isStopping) return;
      for (const id of removed) {
        running.delete(id);
        failed.delete(id);
        close(id);
      }
      for (const settings of started) {
        const member = add(settings);
        if (!member) close(settings.batchId ?? settings.name);
        else if (isStarted) member.start();
      }
    },
    async stop() {
      isStopping = true;
      await Promise.all([...running.values()].map((member) => member.stop()));
    },
  };
}
