import { useState } from 'preact/hooks';
import { type Action, Actions } from '../actions/actions.tsx';
import { calls } from '../live/calls.ts';
import { useResource } from '../live/use-resource.ts';
import { fleetHref, useTitle } from '../shell/route.ts';
import { originText } from '../text/format.ts';
import { Gaps } from './gaps.tsx';
import { History } from './history.tsx';
import { Requests } from './requests.tsx';
import { RuleRows } from './rule-rows.tsx';
import { SetAside } from './set-aside.tsx';
import { StreamFigures } from './stream-figures.tsx';
import { StreamTimeline } from './stream-timeline.tsx';

export function StreamPage({ id }: { readonly id: number }) {
  const concerns = (streams: 'all' | readonly number[]) => streams === 'all' || streams.includes(id);
  const options = { key: String(id), concerns };
  const stream = useResource((signal) => calls.stream(id, signal), options);
  const [gapState, setGapState] = useState<'live' | 'closed'>('live');
  const gaps = useResource((signal) => calls.gaps(id, gapState, signal), {
    ...options,
    key: `${id} ${gapState}`,
  });
  const requests = useResource((signal) => calls.requests(id, signal), options);
  const audit = useResource((signal) => calls.audit(id, signal), { ...options, spacingMs: 3000 });
  const [action, setAction] = useState<Action | undefined>();
  const [focus, setFocus] = useState<{ start: number; end: number } | undefined>();

  const named = stream.data;
  useTitle(
    named === undefined ? `Stream ${id}` : `${named.batchId} · ${originText(named.deviceId, named.moduleId)}`,
  );

  if (stream.data === undefined) {
    return (
      <div class="loading" role="status">
        <h1 class="unseen">Stream {id}</h1>
        {stream.refusal === undefined ? 'Asking the detector …' : `There is no stream ${id}. `}
        {stream.refusal !== undefined && <a href={fleetHref}>To the fleet</a>}
      </div>
    );
  }
  const view = stream.data;
  const reload = () => {
    for (const resource of [stream, gaps, requests, audit]) resource.reload();
  };
  return (
    <>
      <nav class="crumbs" aria-label="Where you are">
        <a href={fleetHref}>Fleet</a>
        <span aria-hidden="true">/</span>
        <span>{originText(view.deviceId, view.moduleId)}</span>
      </nav>
      <StreamFigures stream={view} />
      <StreamTimeline stream={view} focus={focus} onAction={setAction} />
      <RuleRows batchId={view.batchId} />
      <SetAside stream={view} onAction={setAction} />
      <Gaps
        stream={view}
        gaps={gaps.data}
        shown={gapState}
        onShown={setGapState}
        onAction={setAction}
        onFocus={(range) => setFocus({ ...range })}
      />
      <Requests stream={view} requests={requests.data} onAction={setAction} />
      <History audit={audit.data} />
      {action !== undefined && (
        <Actions action={action} stream={view} onClose={() => setAction(undefined)} onDone={reload} />
      )}
    </>
  );
}
