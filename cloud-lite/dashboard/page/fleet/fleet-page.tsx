import { useEffect, useState } from 'preact/hooks';
import { streamStates } from '../../../ledger/stream-states.ts';
import { calls, type FleetAsk } from '../live/calls.ts';
import { useResource } from '../live/use-resource.ts';
import { TrendPlots } from '../plots/trend-plots.tsx';
import { choicesOf, keepChoices, useTitle } from '../shell/route.ts';
import { Alerts } from './alerts.tsx';
import { Empty } from './empty.tsx';
import { FleetControls, periods } from './fleet-controls.tsx';
import { FleetTable } from './fleet-table.tsx';
import { Overall } from './overall.tsx';
import { fittingPeriod } from './period.ts';

const pageSize = 50;
const never = () => false;

type Choices = Omit<FleetAsk, 'periodMs' | 'limit'> & { readonly periodMs: number | undefined };

/** Of the address; what nobody can have chosen is left out. */
function readChoices(): Choices {
  const choices = choicesOf(location.hash);
  const number = (name: string) => Number(choices.get(name) ?? 'none');
  const offset = number('offset');
  return {
    state: streamStates.find((state) => state === choices.get('state')),
    search: (choices.get('search') ?? '').slice(0, 128),
    order: choices.get('order') === 'name' ? 'name' : 'worst',
    periodMs: periods.find(([, lengthMs]) => lengthMs === number('period'))?.[1],
    offset: Number.isSafeInteger(offset) && offset > 0 ? offset : 0,
  };
}

export function FleetPage() {
  const [chosen, setChosen] = useState(readChoices);
  const [fitting, setFitting] = useState(fittingPeriod(undefined));
  const { periodMs, ...rest } = chosen;
  const ask = { ...rest, periodMs: periodMs ?? fitting, limit: pageSize };
  const choose = (change: Partial<Choices>) => {
    const next = { ...chosen, offset: 0, ...change };
    setChosen(next);
    keepChoices({
      state: next.state,
      search: next.search,
      order: next.order === 'name' ? 'name' : undefined,
      period: next.periodMs?.toString(),
      offset: next.offset === 0 ? undefined : String(next.offset),
    });
  };
  useTitle('Fleet');
  // Much changes all the time in a large fleet; two seconds are soon enough for eyes.
  const fleet = useResource((signal) => calls.fleet(ask, signal), {
    key: JSON.stringify(ask),
    spacingMs: 2000,
  });
  useEffect(() => setFitting(fittingPeriod(fleet.data)), [fleet.data]);
  const summary = useResource(calls.summary, { key: 'summary', spacingMs: 2000 });
  const readiness = useResource(calls.readiness, { key: 'readiness', concerns: never });
  const trend = useResource(calls.trend, { key: 'trend', intervalMs: 5000, concerns: never });
  const alerts = useResource(calls.alerts, { key: 'alerts', spacingMs: 5000 });

  if (summary.data === undefined || fleet.data === undefined) return <Loading />;
  if (summary.data.streams === 0) {
    return <Empty summary={summary.data} readiness={readiness.data} />;
  }
  return (
    <div class="fleet-page">
      <h1 class="unseen">Fleet</h1>
      <Overall summary={summary.data} readiness={readiness.data} />
      <Alerts alerts={alerts.data} onTest={alerts.reload} />
      <TrendPlots samples={trend.data?.samples ?? []} />
      <section class="card" aria-labelledby="streams-title">
        <FleetControls counts={fleet.data.counts} ask={ask} period={fleet.data.period} onChoose={choose} />
        <FleetTable page={fleet.data} ask={ask} onOffset={(offset) => choose({ offset })} />
      </section>
    </div>
  );
}

function Loading() {
  return (
    <div class="loading" role="status">
      <h1 class="unseen">Fleet</h1>
      Asking the detector …
    </div>
  );
}
