// The frame of every change that a person makes to the ledger.
import type { Window } from '../../wire/window.ts';
import type { Database, Session } from '../database/database.ts';
import { takeRepairLock } from './lock.ts';

/** Kept messages that may lie in the range and cannot be taken. */
export interface NotTaken {
  readonly messages: number;
  readonly why: string;
}

export type ActionResult =
  | {
      readonly kind: 'done';
      readonly requestIds: readonly string[];
      readonly ranges: readonly Window[];
      readonly notTaken?: NotTaken;
    }
  | { readonly kind: 'not-found' }
  /** Nothing to do, and why. */
  | { readonly kind: 'conflict'; readonly why: string };

/** Under the repair lock: it meets the sweep's decisions before or after, never in between. */
export function act(
  database: Database,
  work: (session: Session) => Promise<ActionResult>,
): Promise<ActionResult> {
  return database.transaction(async (session) => {
    await takeRepairLock(session);
    return work(session);
  });
}
