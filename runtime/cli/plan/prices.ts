// What Azure asks for what a fleet uses: list prices in US dollars, pay as you go, region East US, without tax, as published at
// the date below. They are data: `--prices FILE` replaces any of them. Basic tiers of IoT Hub are left out, since they have no
// twins, no direct methods and no IoT Edge.

export interface HubTier {
  readonly perUnitMonth: number;
  /** Messages a day and unit, each of `meterBytes` at most. */
  readonly messagesPerDay: number;
  readonly meterBytes: number;
  readonly maxUnits: number;
}

export interface Prices {
  /** `2025-06`: prices change, look them up before you rely on them. */
  readonly asOf: string;
  readonly currency: string;
  readonly iotHub: Readonly<Record<string, HubTier>>;
  readonly eventHubs: { readonly perThroughputUnitHour: number; readonly perMillionEvents: number };
  /** Flexible server, by compute size; storage in GB. */
  readonly postgres: {
    readonly perHour: Readonly<Record<string, number>>;
    readonly perGbMonth: number;
  };
  readonly containerApps: {
    readonly perVcpuSecond: number;
    readonly perGibSecond: number;
    readonly freeVcpuSeconds: number;
    readonly freeGibSeconds: number;
  };
  readonly logAnalytics: { readonly perGb: number; readonly freeGbMonth: number };
}

export const hoursPerMonth = 730;

export const listPrices: Prices = {
  asOf: '2025-06',
  currency: 'USD',
  iotHub: {
    F1: { perUnitMonth: 0, messagesPerDay: 8000, meterBytes: 512, maxUnits: 1 },
    S1: { perUnitMonth: 25, messagesPerDay: 400_000, meterBytes: 4096, maxUnits: 200 },
    S2: { perUnitMonth: 250, messagesPerDay: 6_000_000, meterBytes: 4096, maxUnits: 200 },
    S3: { perUnitMonth: 2500, messagesPerDay: 300_000_000, meterBytes: 4096, maxUnits: 10 },
  },
  eventHubs: { perThroughputUnitHour: 0.03, perMillionEvents: 0.028 },
  postgres: {
    perHour: { Standard_B1ms: 0.017, Standard_B2s: 0.034, Standard_D2ds_v5: 0.178, Standard_D4ds_v5: 0.356 },
    perGbMonth: 0.115,
  },
  containerApps: {
    perVcpuSecond: 0.000024,
    perGibSecond: 0.000003,
    freeVcpuSeconds: 180_000,
    freeGibSeconds: 360_000,
  },
  logAnalytics: { perGb: 2.3, freeGbMonth: 5 },
};

/** The list prices with others in their place. @throws Error that names what is no price */
export function withPrices(given: unknown): Prices {
  const prices = merged(listPrices, given, '') as Prices;
  for (const [tier, of] of Object.entries(prices.iotHub))
    for (const [name, value] of Object.entries(of))
      if (Number.isNaN(value)) throw new Error(`iotHub.${tier}.${name} is missing`);
  return prices;
}

function merged(known: unknown, given: unknown, path: string): unknown {
  if (given === undefined) return known;
  const where = path === '' ? 'the file' : path;
  if (typeof known === 'string') {
    if (typeof given === 'string' && given !== '') return given;
    throw new Error(`${where} must be a text`);
  }
  if (typeof known === 'number') {
    if (typeof given === 'number' && Number.isFinite(given) && given >= 0) return given;
    throw new Error(`${where} must be a number, 0 or more`);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Error(`${where} must be an object`);
  const [old, fresh] = [known as Record<string, unknown>, given as Record<string, unknown>];
  // Sizes of servers and tiers may be added; each needs all that one of them has.
  const isOpen = path === 'postgres.perHour' || path === 'iotHub';
  const result: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(fresh)) {
    const inner = path === '' ? name : `${path}.${name}`;
    if (!(name in old) && !isOpen)
      throw new Error(`${inner} is no price: there are ${Object.keys(old).join(', ')}`);
    const like = old[name] ?? Object.values(old)[0];
    const base = name in old || typeof like !== 'object' ? like : { ...nothingOf(like as object) };
    result[name] = merged(base, value, inner);
  }
  return result;
}

/** So that what a new tier leaves out is missed. */
function nothingOf(like: object): Record<string, number> {
  return Object.fromEntries(Object.keys(like).map((name) => [name, Number.NaN]));
}
