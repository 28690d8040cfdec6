// One resource of the API in a component: the last answer stays while the next is loading or fails.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Changes } from '../../../http/change-stream.ts';
import { CallError } from './calls.ts';
import { useLink } from './context.ts';
import { clock } from './platform.ts';
import { type Poller, startPoller } from './poller.ts';

export interface Resource<T> {
  readonly data: T | undefined;
  /** The last call was refused; the detector being away is the link's matter, and no problem here. */
  readonly refusal: CallError | undefined;
  /** Asks again now: something was just changed. */
  reload(): void;
}

export interface ResourceOptions {
  /** Identifies the resource: with another key it is loaded again, and the old answer stays until then. */
  readonly key: string;
  readonly intervalMs?: number;
  readonly spacingMs?: number;
  /** Whether a change of these streams matters here. Default: any does. */
  readonly concerns?: (streams: Changes['streams']) => boolean;
}

export function useResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  { key, intervalMs = 10_000, spacingMs = 1000, concerns = () => true }: ResourceOptions,
): Resource<T> {
  const link = useLink();
  const [data, setData] = useState<T | undefined>();
  const [refusal, setRefusal] = useState<CallError | undefined>();
  const latest = useRef({ load, concerns });
  latest.current = { load, concerns };
  const poller = useRef<Poller | undefined>(undefined);

  // The key stands for what is asked for.
  useEffect(() => {
    const started = startPoller<T>({
      clock,
      intervalMs,
      spacingMs,
      load: async (signal) => {
        await untilShown(signal);
        return latest.current.load(signal);
      },
      onData: (answer) => {
        link.loaded();
        setRefusal(undefined);
        setData(answer);
      },
      onError: (error) => {
        if (error instanceof CallError && !error.isAway) {
          link.loaded();
          setRefusal(error);
        } else link.failed(error instanceof Error ? error.message : String(error));
      },
    });
    poller.current = started;
    const stop = link.onChanges((streams) => {
      if (streams === 'all' || latest.current.concerns(streams)) started.wake();
    });
    return () => {
      stop();
      started.stop();
    };
  }, [key, link, intervalMs, spacingMs]);

  const reload = useCallback(() => poller.current?.wake(), []);
  return { data, refusal, reload };
}

/** A page that nobody sees asks for nothing. */
function untilShown(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const done = new AbortController();
    document.addEventListener(
      'visibilitychange',
      () => {
        done.abort();
        resolve();
      },
      { signal: AbortSignal.any([signal, done.signal]) },
    );
  });
}
