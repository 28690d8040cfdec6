// Explains breaks in observation in words: those that several adapters have. An adapter brings the words of its own
// (adapter-texts.ts). A break that an error caused has the error's code, which docs/ERRORS.md explains.

export const breakWords: Readonly<Record<string, string>> = {
  'poll-missed':
    'polls were missed: answers took longer than pollMs, or the line or this gateway had no time for them',
  'poll-failed': 'a poll failed',
  'records-missed': 'records went by unseen',
  'sample-incomplete': 'a part of a sample could not be read',
  'counter-reset': 'the record counter of the equipment started anew',
  'equipment-clock-went-back': "the equipment's clock was set back",
  'equipment-clock-ahead': "the equipment's clock has to come to where something may be missing",
  'clock-stepped-back': "this gateway's clock was set back",
  'clock-stepped-forward': "this gateway's clock was set ahead",
  'clock-journal-full': 'too many readings wait for a clock that can be trusted',
  'time-went-back': "the sender's clock was set back",
};

/** Breaks of which one is worth a log line: a person set a clock, and may not know the effect. */
const ofClocks: ReadonlySet<string> = new Set(['equipment-clock-went-back', 'time-went-back']);

export function isOfClock(reason: string): boolean {
  return ofClocks.has(reason);
}

/** `a poll failed (poll-failed)`; a code that is in docs/ERRORS.md alone stays what it is. */
export function describeBreak(reason: string, ownWords: Readonly<Record<string, string>> = {}): string {
  const words = ownWords[reason] ?? breakWords[reason];
  return words === undefined ? reason : `${words} (${reason})`;
}
