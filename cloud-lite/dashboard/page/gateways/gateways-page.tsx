import { useState } from 'preact/hooks';
import { gatewayStates } from '../../../gateways/gateway-states.ts';
import { calls, type GatewayAsk } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { useResource } from '../live/use-resource.ts';
import { choicesOf, keepChoices, useTitle } from '../shell/route.ts';
import { Configurations } from './configurations.tsx';
import { GatewayControls } from './gateway-controls.tsx';
import { GatewayTable } from './gateway-table.tsx';
import { readingText } from './gateway-words.ts';

const pageSize = 50;
const never = () => false;

/** Of the address; what nobody can have chosen is left out. */
function readChoices(): GatewayAsk {
  const choices = choicesOf(location.hash);
  const offset = Number(choices.get('offset') ?? 'none');
  return {
    state: gatewayStates.find((state) => state === choices.get('state')),
    search: (choices.get('search') ?? '').slice(0, 128),
    hash: choices.get('hash')?.slice(0, 64),
    tags: choices.getAll('tag').slice(0, 20),
    by: choices.get('by')?.slice(0, 200),
    offset: Number.isSafeInteger(offset) && offset > 0 ? offset : 0,
    limit: pageSize,
  };
}

export function GatewaysPage() {
  const [ask, setAsk] = useState(readChoices);
  const choose = (change: Partial<GatewayAsk>) => {
    const next = { ...ask, offset: 0, ...change };
    setAsk(next);
    keepChoices({
      state: next.state,
      search: next.search,
      hash: next.hash,
      tag: next.tags,
      by: next.by,
      offset: next.offset === 0 ? undefined : String(next.offset),
    });
  };
  useTitle('Gateways');
  const options = { intervalMs: 5000, concerns: never };
  const page = useResource((signal) => calls.gateways(ask, signal), { ...options, key: JSON.stringify(ask) });
  const { search, tags, by } = ask;
  const configurations = useResource((signal) => calls.configurations({ search, tags, by }, signal), {
    ...options,
    key: JSON.stringify([search, tags, by]),
  });
  const now = useNow();
  if (page.data === undefined || configurations.data === undefined) {
    return (
      <div class="loading" role="status">
        <h1 class="unseen">Gateways</h1>
        Asking the detector …
      </div>
    );
  }
  const old = readingText(page.data.reading, now);
  return (
    <>
      <h1 class="unseen">Gateways</h1>
      {old !== undefined && (
        <p class="warning" role="status">
          {old}
        </p>
      )}
      <Configurations page={configurations.data} tags={page.data.tags} ask={ask} onChoose={choose} />
      <section class="card" aria-labelledby="gateways-title">
        <GatewayControls page={page.data} ask={ask} onChoose={choose} />
        <GatewayTable page={page.data} ask={ask} onOffset={(offset) => choose({ offset })} />
      </section>
    </>
  );
}
