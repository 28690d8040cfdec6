import { useEffect, useState } from 'preact/hooks';
import type { StreamState } from '../../../ledger/stream-states.ts';
import { calls, type FleetAsk } from '../live/calls.ts';
import { useResource } from '../live/use-resource.ts';
import { TrendPlots } from '../plots/trend-plots.tsx';
import { Alerts } from './alerts.tsx';
import { Empty } from './empty.tsx';
import { FleetControls } from './fleet-controls.tsx';
import { FleetTable } from './fleet-table.tsx';
import { Overall } from './overall.tsx';
import { fittingPeriod } from './period.ts';

const pageSize = 50;
const never = () => false;

export function FleetPage() {
  const [state, setState] = useState<StreamState | undefined>();
  const [search, setSearch] = useState('');
  const [order, setOrder] = useState<FleetAsk['order']>('worst');
  const [periodMs, setPeriodMs] = useState<number | undefined>();
  const [fitting, setFitting] = useState(fittingPeriod(undefined));
  const [offset, setOffset] = useState(0);
  const ask = { state, search, order, periodMs: periodMs ?? fitting, offset, limit: pageSize };
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
  const restart =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      set(value);
      setOffset(0);
    };
  return (
    <>
      <h1 class="unseen">Fleet</h1>
      <Overall summary={summary.data} readiness={readiness.data} />
      <TrendPlots samples={trend.data?.samples ?? []} />
      <section class="card" aria-labelledby="streams-title">
        <FleetControls
          counts={fleet.data.counts}
          state={state}
          onState={restart(setState)}
          search={search}
          onSearch={restart(setSearch)}
          order={order}
          onOrder={restart(setOrder)}
          periodMs={ask.periodMs}
          onPeriod={setPeriodMs}
        />
        <FleetTable page={fleet.data} ask={ask} onOffset={setOffset} />
      </section>
      <Alerts alerts={alerts.data} />
    </>
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
