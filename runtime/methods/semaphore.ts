/** Lets at most `permits` pieces of work run at once; the rest wait in order. */
export function createSemaphore(permits: number): { run<T>(work: () => Promise<T>): Promise<T> } {
  let free = permits;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (free > 0) free--;
      // The permit is handed over, not given back and taken again.
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    },
  };
}
