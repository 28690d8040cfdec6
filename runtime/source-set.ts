// The sources that run, by stream. One that cannot be built is reported and left out, and a change stops and starts
// only what it names: no source ever keeps another from running.
import { codeOf, describeError } from '../kernel/errors.ts';
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

/** What makes a source, and what its stream needs once it is gone. */
export interface SourceBuilder<Settings extends SourceSettings, Member extends SetMember> {
  /** Opens the stream and builds the source; the stream may be open already, and then goes on. May throw. */
  build(settings: Settings, batchId: string): Member;
  /** Closes the window of a stream that no source feeds any more. */
  closeStream(batchId: string): Promise<void>;
}

export interface SourceSet<Settings extends SourceSettings, Member extends SetMember> {
  /** Builds what is to run at first; a change builds with the same builder. */
  load(settings: readonly Settings[], builder: SourceBuilder<Settings, Member>): void;
  /** Starts everything built; from now on a change starts what it builds. */
  start(): void;
  /** Resolves once what ended has ended and what is new has started. One call at a time. */
  change(removed: readonly string[], started: readonly Settings[]): Promise<void>;
  /** Stops everything, also during a change. Idempotent. */
  stop(): Promise<void>;
  /** Before that it is not known which streams have a source. */
  readonly isLoaded: boolean;
  readonly running: ReadonlyMap<string, Member>;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** The configuration has the stream's source, but it could not be built: what its equipment has is not known. */
  isFailed(batchId: string): boolean;
}

/** An empty set: nothing is known of any stream until it is loaded. */
export function createSourceSet<Settings extends SourceSettings, Member extends SetMember>({
  log,
}: {
  readonly log: Log;
}): SourceSet<Settings, Member> {
  let builder: SourceBuilder<Settings, Member> | undefined;
  const running = new Map<string, Member>();
  const failed = new Map<string, { name: string; reason: string }>();
  let isStarted = false;
  let isStopping = false;

  const add = (settings: Settings): Member | undefined => {
    const { name } = settings;
    const batchId = settings.batchId ?? name;
    try {
      const member = builder!.build(settings, batchId);
      running.set(batchId, member);
      failed.delete(batchId);
      return member;
    } catch (error) {
      running.delete(batchId);
      failed.set(batchId, { name, reason: describeError(error) });
      log.error(
        { code: codeOf(error, 'source-not-built'), source: name, reason: describeError(error) },
        'this source cannot run; other sources continue',
      );
      return undefined;
    }
  };
  const close = (batchId: string) => {
    // In the background: it resolves when the disk has it, and the disk may be slow.
    builder!
      .closeStream(batchId)
      .catch((error) =>
        log.warn(
          { code: codeOf(error, 'unexpected-trouble'), batchId, reason: describeError(error) },
          'a stream was not closed',
        ),
      );
  };

  return {
    running,
    get isLoaded() {
      return builder !== undefined;
    },
    get failed() {
      return [...failed.values()];
    },
    isFailed: (batchId) => failed.has(batchId),
    load(settings, wanted) {
      builder = wanted;
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
