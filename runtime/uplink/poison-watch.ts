// Which message is poison: of several in company one was refused, and the hub says so by ending the link, which fails all
// that is in flight with the same error. They go again one at a time, to learn which it was.
export interface PoisonWatch {
  /** Messages must go one at a time. */
  readonly any: boolean;
  add(id: number): void;
  /** It went through, or was refused alone. */
  cleared(id: number): void;
  /** One message was sent while there were any. */
  sent(): void;
}

/** `maxSends`: a suspect that retention removed meanwhile never comes; going single ends after so many in any case. */
export function createPoisonWatch(maxSends: number): PoisonWatch {
  const ids = new Set<number>();
  let sendsLeft = 0;
  return {
    get any() {
      return ids.size > 0;
    },
    add(id) {
      ids.add(id);
      sendsLeft = maxSends;
    },
    cleared(id) {
      ids.delete(id);
    },
    sent() {
      if (--sendsLeft <= 0) ids.clear();
    },
  };
}
