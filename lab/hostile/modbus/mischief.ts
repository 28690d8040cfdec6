// What a line, and other devices on it, may do to an answer.

/** What becomes of one answer. `fine` and `slow` are as they should be. */
export type Mischief =
  | 'fine'
  | 'slow'
  | 'late'
  | 'very-late'
  | 'silent'
  | 'busy'
  | 'refused'
  | 'reset'
  | 'hang-up'
  | 'hang-up-after'
  | 'pieces'
  | 'wrong-unit'
  | 'wrong-function'
  | 'too-short'
  | 'too-long'
  | 'garbage'
  | 'twice'
  | 'old-before'
  | 'old-after'
  | 'wrong-transaction'
  | 'not-modbus'
  | 'bad-crc'
  | 'noise-before'
  | 'noise-after'
  | 'echo'
  | 'other-unit'
  | 'other-master'
  | 'other-asks'
  | 'again-later'
  | 'flipped-length';

/** The right answer is among what comes, in its time: an adapter may take it, or refuse all of it. */
export const fittingKinds: ReadonlySet<Mischief> = new Set<Mischief>([
  'fine',
  'slow',
  'hang-up-after',
  'pieces',
  'twice',
  'old-before',
  'old-after',
  'noise-before',
  'noise-after',
  'echo',
  'other-unit',
  'other-master',
  'other-asks',
  'again-later',
]);

const common: Partial<Record<Mischief, number>> = {
  fine: 60,
  slow: 5,
  late: 5,
  'very-late': 1,
  silent: 4,
  busy: 3,
  refused: 2,
  reset: 2,
  'hang-up': 1,
  'hang-up-after': 2,
  pieces: 4,
  'wrong-unit': 1,
  'wrong-function': 1,
  'too-short': 2,
  'too-long': 2,
  garbage: 2,
};

export const onTcp: Readonly<Record<string, number>> = {
  ...common,
  twice: 3,
  'old-before': 3,
  'old-after': 3,
  'wrong-transaction': 2,
  'not-modbus': 1,
};

export const onLine: Readonly<Record<string, number>> = {
  ...common,
  'bad-crc': 3,
  'noise-before': 3,
  'noise-after': 2,
  echo: 2,
  'other-unit': 3,
  'other-master': 2,
  'other-asks': 3,
  'again-later': 3,
  'flipped-length': 2,
  twice: 2,
};

export const behaving: Readonly<Record<string, number>> = { fine: 1 };
