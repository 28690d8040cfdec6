// The port of an adapter: everything that the module needs from one kind of equipment. The configuration's schema and error
// texts, tables of tags, the JSON Schema, the plan of `holdfast check`, and the running sources all follow from it.
import type { z } from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import type { StreamStart } from '../windows/window-store.ts';
import type { AdapterTexts } from './adapter-texts.ts';
import type { Discovery } from './discover.ts';
import type { Inputs } from './inputs.ts';
import type { LearnedStore } from './learned.ts';
import type { SourceLoad } from './load.ts';
import type { Source } from './source.ts';
import type { WritableTags } from './tag-write.ts';

/** What an adapter has for all its sources in a process. */
export interface AdapterParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Messages of other modules. */
  readonly inputs: Inputs;
  /** The adapter's own folder, for files that it keeps. Not created before it is needed. */
  readonly folder: string;
}

export interface SourceParts {
  /** The clock that stamps readings which the equipment does not stamp. */
  readonly stampClock: Clock;
  /** Bound to the source's name. */
  readonly log: Log;
  /** The state of a source's stream before this start. Read when a session begins. */
  readonly start?: () => StreamStart | undefined;
  /** What was learned of the equipment before. Absent: nothing is kept. */
  readonly learned?: LearnedStore;
}

/** What every type of source has among its settings; `type` is a literal. */
export type SourceSchema = z.ZodObject<{
  readonly type: z.ZodLiteral<string>;
  readonly name: z.ZodType<string>;
  readonly batchId: z.ZodType<string | undefined>;
}>;

/** Something that one source takes for itself, as a serial port. */
export interface Exclusive {
  /** The setting that names it. */
  readonly setting: string;
  /** The name of the resource; two sources with the same name collide. */
  readonly name: string;
  /** Sources that give the same word here may share it. */
  readonly sharedBy?: string;
  /** Said to people behind `is taken by sources[0] already: `. */
  readonly hint: string;
}

export interface SourcePace {
  readonly everyMs: number;
  readonly setting: string;
}

export interface Adapter<Schema extends SourceSchema = SourceSchema> {
  /** The name of its folder, and of its folder among the module's data. */
  readonly name: string;
  /** Its page of the docs. */
  readonly page: string;
  /** Metrics, breaks and an example of its own, for people. Absent: it has none. */
  readonly texts?: AdapterTexts;
  /** What the first source of a type adds to the module's memory, measured, for `holdfast plan`. Default 0. */
  readonly memoryMb?: number;
  /** One for each type of source that it reads. */
  readonly schemas: readonly Schema[];
  /** Called once per process: its sources share lines and connections through the result. Opens nothing. */
  create(parts: AdapterParts): (settings: z.output<Schema>, parts: SourceParts) => Source;
  /** The load that a source puts on its bus and on the hub, for `holdfast check`. Pure. */
  load(settings: z.output<Schema>, clock: Clock): SourceLoad;
  /** The tags that may be written, and within which limits. Pure. Absent: none, ever. */
  writable?(settings: z.output<Schema>): WritableTags;
  /** The stream is ordered by the equipment's own record numbers, not by time. Pure. Absent: none is. */
  isNumbered?(settings: z.output<Schema>): boolean;
  /**
   * How often a source that is well states how far it was observed, though nothing changes, and the setting that says so: so long
   * rules wait for it. Pure. Absent, or undefined: not known.
   */
  pace?(settings: z.output<Schema>): SourcePace | undefined;
  /** Resources that only one source may use, beyond the name of its stream. Absent: none. */
  exclusive?(settings: z.output<Schema>): readonly Exclusive[];
  /** Discovers one device, for a person who sets it up. Absent: not supported. */
  readonly discover?: Discovery;
  /** Its sources are sent messages by other modules: the uplink attaches this module's inputs. */
  readonly hearsInputs?: true;
}

/** Lets the compiler report mistakes where an adapter is defined, rather than where it is used. */
export function defineAdapter<Schema extends SourceSchema>(adapter: Adapter<Schema>): Adapter<Schema> {
  return adapter;
}
