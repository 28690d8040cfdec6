// What a serial line, and an instrument at its end, may do to an exchange.
import type { InstrumentPlan } from './instrument-plan.ts';

/** What becomes of a command. */
export type AnswerMischief = 'fine' | 'slow' | 'late' | 'silent' | 'refused' | 'reset';

/** What becomes of one line on the wire. */
export type LineMischief =
  | 'fine'
  | 'lost'
  | 'damaged'
  | 'joined'
  | 'noise'
  | 'pieces'
  | 'pause'
  | 'late'
  | 'twice';

export interface Mischief {
  readonly answers: Readonly<Record<string, number>>;
  /** Lines that it was asked for, and lines that it says by itself. */
  readonly answered: Readonly<Record<string, number>>;
  readonly talked: Readonly<Record<string, number>>;
}

const fine = { fine: 1 };

export function mischiefOf(mood: 'fine'): Mischief;
export function mischiefOf(mood: 'fine' | 'hostile', plan: InstrumentPlan): Mischief;
export function mischiefOf(mood: 'fine' | 'hostile', plan?: InstrumentPlan): Mischief {
  if (mood === 'fine' || !plan) return { answers: fine, answered: fine, talked: fine };
  const lines = { fine: 80, damaged: 3, joined: 1, noise: 2, pieces: 3, pause: 1 };
  return {
    answers: { fine: 60, slow: 6, late: 8, silent: 5, refused: 4, reset: 1 },
    // What vanishes without a trace cannot be missed where nothing counts; what is said twice is two, unless it is marked.
    answered: { ...lines, ...(plan.isNumbered ? { lost: 3 } : {}), late: 2 },
    talked: {
      ...lines,
      ...(plan.isNumbered ? { lost: 4 } : {}),
      ...(plan.order === 'arrival' ? {} : { twice: 2 }),
    },
  };
}
