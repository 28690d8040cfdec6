import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { serverNow } from './calls.ts';
import type { Link } from './link.ts';
import type { LinkState } from './link-state.ts';
import { clock } from './platform.ts';

export const LinkContext = createContext<Link | undefined>(undefined);

export function useLink(): Link {
  const link = useContext(LinkContext);
  if (link === undefined) throw new Error('no link above this component');
  return link;
}

export function useLinkState(): LinkState {
  const link = useLink();
  const [state, setState] = useState(link.state());
  useEffect(() => link.subscribe(() => setState(link.state())), [link]);
  return state;
}

/** The detector's time, told anew each second: ages grow while nothing else changes. */
export function useNow(): number {
  const [now, setNow] = useState(serverNow());
  useEffect(() => {
    let timer = clock.setTimer(1000, function tick() {
      setNow(serverNow());
      timer = clock.setTimer(1000, tick);
    });
    return () => timer.cancel();
  }, []);
  return now;
}
