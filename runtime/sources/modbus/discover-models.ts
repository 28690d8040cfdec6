// Which profiles read the SunSpec models that a device was found to have, such that a configuration takes them.
import { builtInProfile } from '../profiles/config.ts';

export interface FoundModel {
  readonly id: number;
  readonly at: number;
  /** Registers behind its head. */
  readonly length: number;
}

type Fields = Readonly<Record<string, unknown>>;

const headRegisters = 2;

/** Undefined where no profile reads any of them. `maxRegisters`: that one request gives. */
export function profilesFor(
  models: readonly FoundModel[],
  maxRegisters: number,
): readonly Fields[] | undefined {
  const taken = new Set<string>();
  const times = new Map<number, number>();
  const uses: Fields[] = [];
  for (const { id, at, length } of models) {
    const use = `sunspec-${id}`;
    const { tags = [] } = builtInProfile(use) ?? {};
    const fitting = tags.filter((tag) => fits(tag, length, maxRegisters)).map((tag) => String(tag.name));
    if (fitting.length === 0) continue;
    const count = (times.get(id) ?? 0) + 1;
    times.set(id, count);
    const isClear = count === 1 && fitting.every((name) => !taken.has(name));
    const prefix = isClear ? '' : `model-${id}${count > 1 ? `-${count}` : ''}.`;
    for (const name of fitting) taken.add(prefix + name);
    uses.push({
      use,
      at,
      ...(prefix !== '' && { prefix }),
      ...(fitting.length < tags.length && { only: fitting }),
    });
  }
  return uses.length === 0 ? undefined : uses.slice(0, maxUses);
}

/** A configuration takes no more. */
const maxUses = 16;

/** The model is long enough to have it, and one request gives the value with its scale. */
function fits(tag: Fields, length: number, maxRegisters: number): boolean {
  const {
    address,
    scaleFrom,
    type,
    length: characters,
  } = tag as {
    readonly address: number;
    readonly scaleFrom?: number;
    readonly type: string;
    readonly length?: number;
  };
  const width = type === 'string' ? Math.ceil((characters ?? 0) / 2) : type.endsWith('32') ? 2 : 1;
  const end = Math.max(address + width, (scaleFrom ?? 0) + 1);
  const first = Math.min(address, scaleFrom ?? address);
  return end <= headRegisters + length && end - first <= maxRegisters;
}
