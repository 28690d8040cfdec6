// A unit that shows values and keeps nothing: what each register showed from when to when.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Value } from '../../../wire/reading.ts';
import type { Dice } from '../dice.ts';
import type { Unit, UnitAnswer } from './line.ts';
import { float32, type RegisterRequest, Registers, type RegisterTable, uint16, uint32 } from './registers.ts';

export interface PanelTag {
  readonly name: string;
  readonly table: RegisterTable;
  readonly address: number;
  readonly type: 'uint16' | 'uint32' | 'float32';
  readonly pollMs: number;
  readonly deadband?: number;
  /** What it shows now and then where it has no value. */
  readonly sentinel?: number;
}

export interface PanelOptions {
  readonly tags: readonly PanelTag[];
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly onChange: (tag: string, value: Value) => void;
  readonly onAsked: (tag: string) => void;
  readonly onHeard: (tag: string, value: Value, isValid: boolean) => void;
  readonly onRefused: (tag: string, exception: number) => void;
}

interface Cell {
  readonly tag: PanelTag;
  /** Its place among the tags: part of each value, so that no two tags ever show the same. */
  readonly at: number;
  version: number;
  value: number;
}

const registersOf = { uint16: 1, uint32: 2, float32: 2 };

export function widthOf({ type }: PanelTag): number {
  return registersOf[type];
}

export class Panel implements Unit {
  readonly #options: PanelOptions;
  readonly #registers = new Registers();
  readonly #cells: readonly Cell[];

  constructor(options: PanelOptions) {
    this.#options = options;
    this.#cells = options.tags.map((tag, at) => ({ tag, at, version: 0, value: 0 }));
    for (const cell of this.#cells) this.#change(cell);
  }

  answer(request: RegisterRequest): UnitAnswer {
    if (request.kind === 'file') return { data: { exception: 1 }, about: 'other' };
    return { data: this.#registers.read(request.table, request.address, request.count), about: 'live' };
  }

  onAsked(request: RegisterRequest): void {
    for (const { tag } of this.#within(request)) this.#options.onAsked(tag.name);
  }

  onHeard(request: RegisterRequest): void {
    for (const { tag, value } of this.#within(request))
      this.#options.onHeard(tag.name, value, value !== tag.sentinel);
  }

  onRefused(request: RegisterRequest, exception: number): void {
    for (const { tag } of this.#within(request)) this.#options.onRefused(tag.name, exception);
  }

  #within(request: RegisterRequest): readonly Cell[] {
    if (request.kind === 'file') return [];
    const { table, address, count } = request;
    return this.#cells.filter(
      ({ tag }) =>
        tag.table === table && tag.address >= address && tag.address + widthOf(tag) <= address + count,
    );
  }

  #change(cell: Cell): void {
    const { clock, dice } = this.#options;
    cell.version += 1;
    const { tag } = cell;
    const isOff = tag.sentinel !== undefined && dice.chance(0.2);
    cell.value = isOff ? tag.sentinel! : showing(cell);
    if (cell.value !== tag.sentinel) this.#options.onChange(tag.name, cell.value);
    const bytes = { uint16, uint32, float32 }[tag.type](cell.value);
    this.#registers.set(tag.table, tag.address, bytes);
    clock.setTimer(dice.between(40, dice.pick([300, 3000])), () => this.#change(cell));
  }
}

/** Changes in small steps, of which some lie within a deadband. */
function showing({ tag, at, version }: Cell): number {
  if (tag.type === 'uint16') return (at % 15) * 4096 + (version % 4000);
  if (tag.type === 'uint32') return (at + 1) * 1_000_000 + version;
  return (at + 1) * 4096 + version * 0.25;
}
