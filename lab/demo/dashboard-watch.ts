// Watches the dashboard through a tour, as the person would for whom it is made: whole before the faults, holes while
// they are open, whole again at the end, and what is void with its reason. Pictures of all three moments.
//
// A page that shows something else spoils the account. A browser that fails does not: then there is just nothing seen.
import type { DashboardEye } from './dashboard-eye.ts';
import { type FleetLook, gapsShown, notHealed, voidsShown } from './dashboard-look.ts';

export interface DashboardSeen {
  /** Streams on whose row a range was seen to be missing or being fetched. */
  readonly gapsOn: readonly string[];
  /** By stream: why part of it is void, in the page's words. */
  readonly voids: Readonly<Record<string, string>>;
  /** Every stream was seen whole, or whole but for its voids, at the end. */
  readonly healed: boolean;
  readonly folder: string;
  readonly pictures: readonly string[];
}

export interface DashboardWatch {
  /** Keeps how it looks before the faults. */
  before(): Promise<void>;
  /** From now on looks for holes, and keeps how the first ones look. */
  watchForGaps(): void;
  /** Waits until the page shows that all has healed, and keeps that. Resolves with what the page has wrong. */
  after(streams: readonly string[]): Promise<readonly string[]>;
  seen(): DashboardSeen;
  close(): Promise<void>;
}

export interface WatchOptions {
  readonly eye: DashboardEye;
  readonly say: (text: string, tone?: 'plain' | 'good' | 'bad') => void;
}

/** Whose own page is kept too. Its equipment remembers, so that its holes close. */
const watchedStream = 'press';
const lookEveryMs = 250;
/** Streams whose holes make the picture, if they show within a moment of each other. */
const manyGaps = 6;
const moreWithinMs = 1500;
const healWithinMs = 60_000;

export function createDashboardWatch({ eye, say }: WatchOptions): DashboardWatch {
  const gapsOn = new Set<string>();
  const voids: Record<string, string> = {};
  let healed = false;
  let failed = false;
  let isWatching = false;
  let watching: Promise<void> = Promise.resolve();

  const unlessFailed = async (work: () => Promise<void>) => {
    if (failed) return;
    await work().catch((error: Error) => {
      failed = true;
      say(`the browser that looks at the dashboard failed: ${error.message.split('\n')[0]}`, 'bad');
    });
  };

  const watch = async () => {
    let firstAt: number | undefined;
    let kept = false;
    while (isWatching) {
      const now = gapsShown(await eye.look());
      for (const stream of now) gapsOn.add(stream);
      if (now.length > 0) firstAt ??= Date.now();
      const isTime =
        now.length >= manyGaps || (firstAt ?? Number.POSITIVE_INFINITY) + moreWithinMs < Date.now();
      if (!kept && now.length > 0 && isTime) {
        kept = true;
        await eye.keep('2-gaps', watchedStream);
        say(`the dashboard shows gaps on ${now.join(', ')}`, 'good');
      }
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  };

  return {
    before: () => unlessFailed(() => eye.keep('1-before', watchedStream)),
    watchForGaps() {
      isWatching = true;
      watching = unlessFailed(watch);
    },
    async after(streams) {
      isWatching = false;
      await watching;
      let wrong: readonly string[] = [];
      await unlessFailed(async () => {
        const look = await lookUntilHealed(eye, streams);
        wrong = notHealed(look, streams);
        healed = wrong.length === 0;
        await eye.keep('3-healed', watchedStream);
        for (const stream of voidsShown(look)) {
          voids[stream] = await eye.reasonOfVoid(stream);
          if (!/^void: ./.test(voids[stream]))
            wrong = [...wrong, `the dashboard gives no reason for a void of ${stream}`];
        }
        const first = voidsShown(look)[0];
        if (first !== undefined) await eye.keepStream('3-healed', first);
        if (gapsOn.size === 0) wrong = [...wrong, 'the dashboard never showed a gap'];
      });
      return wrong;
    },
    seen: () => ({ gapsOn: [...gapsOn].sort(), voids, healed, folder: eye.folder, pictures: eye.pictures }),
    close: () => eye.close().catch(() => {}),
  };
}

async function lookUntilHealed(eye: DashboardEye, streams: readonly string[]): Promise<FleetLook> {
  const end = Date.now() + healWithinMs;
  for (;;) {
    const look = await eye.look();
    if (notHealed(look, streams).length === 0 || Date.now() > end) return look;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
