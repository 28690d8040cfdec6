// Which tiers of IoT Hub take a fleet's messages, how many units of each, and what they cost. Pure.
import type { HubTier, Prices } from './prices.ts';

export interface Sent {
  readonly messagesPerDay: number;
  /** Size of one message, with its properties. */
  readonly bytesPerMessage: number;
}

export interface TierCost {
  readonly tier: string;
  /** Metered messages a day of all gateways. */
  readonly meteredPerDay: number;
  /** Undefined where the tier has no more units than `maxUnits`, and they do not do. */
  readonly units: number | undefined;
  readonly perMonth: number | undefined;
  readonly perDay: number | undefined;
}

const daysPerMonth = 365 / 12;

export function hubCosts(
  streams: readonly Sent[],
  gateways: number,
  { iotHub }: Prices,
): readonly TierCost[] {
  return Object.entries(iotHub).map(([tier, of]) => tierCost(tier, of, streams, gateways));
}

/** The one that costs least; undefined where none takes it. */
export function cheapest(costs: readonly TierCost[]): TierCost | undefined {
  const possible = costs.filter(({ perMonth }) => perMonth !== undefined);
  return possible.toSorted((a, b) => a.perMonth! - b.perMonth!)[0];
}

function tierCost(tier: string, of: HubTier, streams: readonly Sent[], gateways: number): TierCost {
  const perGateway = streams.reduce(
    (sum, { messagesPerDay, bytesPerMessage }) =>
      sum + messagesPerDay * Math.max(1, Math.ceil(bytesPerMessage / of.meterBytes)),
    0,
  );
  const meteredPerDay = Math.round(perGateway * gateways);
  const units = Math.max(1, Math.ceil(meteredPerDay / of.messagesPerDay));
  if (units > of.maxUnits)
    return { tier, meteredPerDay, units: undefined, perMonth: undefined, perDay: undefined };
  const perMonth = units * of.perUnitMonth;
  return { tier, meteredPerDay, units, perMonth, perDay: perMonth / daysPerMonth };
}
