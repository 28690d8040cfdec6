// The browser's clock, randomness and time zone. All other files get these as parameters.
export { systemClock as clock } from '../../../../kernel/clock.ts';

export const random = {
  next: (): number => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
  uuid: (): string => crypto.getRandomValues(new Uint32Array(4)).join('-'),
};

const zoneKey = 'holdfast.zone';

export const browserZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone of all times on the page: the browser's, or UTC by choice. */
export const zone: string = storedZone() ?? browserZone;

/** Shows all times in UTC, or in the browser's zone again. The page starts over: each of its texts has times in it. */
export function changeZone(): void {
  try {
    if (storedZone() === undefined) localStorage.setItem(zoneKey, 'UTC');
    else localStorage.removeItem(zoneKey);
  } catch {
    // Storage may be forbidden: the zone stays as it is.
  }
  location.reload();
}

export function storedZone(): 'UTC' | undefined {
  try {
    return localStorage.getItem(zoneKey) === 'UTC' ? 'UTC' : undefined;
  } catch {
    return undefined;
  }
}
