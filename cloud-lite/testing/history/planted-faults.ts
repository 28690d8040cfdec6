// Planted faults, to check that a history finds them: in what a detector is given (events, answers, the time), in its
// statements to the database, or by leaving out a step. Without any, a detector is unchanged.
import type { Clock } from '../../../kernel/clock.ts';
import type { Database, Session } from '../../database/database.ts';
import type { ReceivedEvent } from '../../ingest/event-source.ts';
import type { Bounds } from '../../ingest/plausible.ts';
import type { MethodOutcome } from '../../repair/hub-methods.ts';

export interface PlantedFaults {
  readonly bounds: Partial<Bounds>;
  /** No look at what has become of the hub. */
  readonly hubUnseen: boolean;
  event(event: ReceivedEvent): ReceivedEvent;
  outcome(outcome: MethodOutcome): MethodOutcome;
  /** @param machine the clock of the detector's own machine. */
  clock(own: Clock, machine: Clock): Clock;
  database(database: Database): Database;
}

export const noPlantedFaults: PlantedFaults = {
  bounds: {},
  hubUnseen: false,
  event: (event) => event,
  outcome: (outcome) => outcome,
  clock: (own) => own,
  database: (database) => database,
};

/** A change to the text of statements. Counts where it applied: a plant that changes nothing shows nothing. */
export interface StatementEdit {
  readonly find: string;
  readonly put: string;
}

export function editStatements(
  database: Database,
  edits: readonly StatementEdit[],
  applied: () => void,
): Database {
  const edit = (sql: string) =>
    edits.reduce((text, { find, put }) => {
      if (!text.includes(find)) return text;
      applied();
      return text.replaceAll(find, put);
    }, sql);
  const edited = (session: Session): Session => ({
    query: (sql, params) => session.query(edit(sql), params),
    script: (sql) => session.script(edit(sql)),
  });
  return {
    ...database,
    ...edited(database),
    transaction: (work) => database.transaction((session) => work(edited(session))),
  };
}
