// The page's address: `#/?state=missing` or `#/streams/12?from=0&to=9`. It is in the fragment, so that any file server can
// serve every address; what is chosen on a page stands behind the `?`, so that a link shows the same to someone else.
import { useEffect, useState } from 'preact/hooks';

export type Route =
  | { readonly page: 'fleet' }
  | { readonly page: 'stream'; readonly id: number }
  | { readonly page: 'gateways' }
  | { readonly page: 'gateway'; readonly deviceId: string; readonly moduleId: string };

export function routeOf(hash: string): Route {
  const id = /^#\/streams\/(\d{1,15})(?:\?|$)/.exec(hash)?.[1];
  if (id !== undefined) return { page: 'stream', id: Number(id) };
  if (/^#\/gateways\/?(?:\?|$)/.test(hash)) return { page: 'gateways' };
  return gatewayOf(hash) ?? { page: 'fleet' };
}

function gatewayOf(hash: string): Route | undefined {
  const [, device, module] = /^#\/gateways\/([^/?]+)\/([^/?]+)(?:\?|$)/.exec(hash) ?? [];
  if (device === undefined || module === undefined) return undefined;
  try {
    return { page: 'gateway', deviceId: decodeURIComponent(device), moduleId: decodeURIComponent(module) };
  } catch {
    return undefined;
  }
}

/** What was chosen, by name. Whatever an address says is checked by whoever reads it. */
export function choicesOf(hash: string): URLSearchParams {
  const at = hash.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : hash.slice(at + 1));
}

type Choices = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The address with these choices instead; those that are undefined or empty are left out. */
export function withChoices(hash: string, choices: Choices): string {
  const all = choicesOf(hash);
  for (const [name, value] of Object.entries(choices)) {
    all.delete(name);
    for (const each of [value ?? []].flat()) if (each !== '' || name === 'hash') all.append(name, each);
  }
  const place = hash.split('?')[0] || fleetHref;
  return all.size === 0 ? place : `${place}?${all}`;
}

export const fleetHref = '#/';
export const gatewaysHref = '#/gateways';
export const gatewayHref = (deviceId: string, moduleId: string): string =>
  `#/gateways/${encodeURIComponent(deviceId)}/${encodeURIComponent(moduleId)}`;
export const streamHref = (id: number): string => `#/streams/${id}`;

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => setHash(location.hash);
    window.addEventListener('hashchange', onChange);
    return () => window.removeEventListener('hashchange', onChange);
  }, []);
  return routeOf(hash);
}

/** Keeps choices in the address; a choice is no step back in the browser's history. */
export function keepChoices(choices: Choices): void {
  const hash = withChoices(location.hash, choices);
  if (hash !== location.hash) history.replaceState(null, '', hash);
}

/** The title of the browser's tab, while the component is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);
}
