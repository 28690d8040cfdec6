// The page's route: `#/` or `#/streams/12`. It is in the fragment, so that any file server can serve every address.
import { useEffect, useState } from 'preact/hooks';

export type Route = { readonly page: 'fleet' } | { readonly page: 'stream'; readonly id: number };

export function routeOf(hash: string): Route {
  const id = /^#\/streams\/(\d{1,15})$/.exec(hash)?.[1];
  return id === undefined ? { page: 'fleet' } : { page: 'stream', id: Number(id) };
}

export const fleetHref = '#/';
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
