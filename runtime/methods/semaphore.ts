import type { Clock } from '../../kernel/clock.ts';

export interface Permit {
  /** As `what` settles. What takes longer than `patienceMs` is waited for without the permit, which others have meanwhile. */
  awaited<T>(what: Promise<T>, patienceMs: number): Promise<T>;
}

export interface Semaphore {
  run<T>(work: (permit: Permit) => Promise<T>): Promise<T>;
}

/** Lets at most `permits` pieces of work run at once; the rest wait in order. */
export function createSemaphore(permits: number, clock: Clock): Semaphore {
  let free = permits;
  const waiting: (() => void)[] = [];
  const take = async () => {
    if (free > 0) free--;
    // The permit is handed over, not given back and taken again.
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const give = () => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const permit: Permit = {
    async awaited(what, patienceMs) {
      let taken = true;
      const patience = clock.setTimer(patienceMs, () => {
        taken = false;
        give();
      });
      try {
        return await what;
      } finally {
        patience.cancel();
        if (!taken) await take();
      }
    },
  };
  return {
    async run(work) {
      await take();
      try {
        return await work(permit);
      } finally {
        give();
      }
    },
  };
}
