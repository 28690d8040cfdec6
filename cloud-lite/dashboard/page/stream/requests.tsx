import type { StreamView } from '../../../ledger/streams.ts';
import type { RequestView } from '../../../repair/request-views.ts';
import type { Action } from '../actions/actions.tsx';
import { useNow } from '../live/context.ts';
import { agoText, wordsOf } from '../text/format.ts';
import { sizeText, whichText } from '../text/which-text.ts';
import { lostStateText, lostText } from './gap-text.ts';
import { RangeCells, RangeTable } from './range-table.tsx';

const isOpen = ({ state }: RequestView) => state === 'pending' || state === 'accepted';

export function Requests(props: {
  readonly stream: StreamView;
  readonly requests: readonly RequestView[] | undefined;
  readonly onAction: (action: Action) => void;
}) {
  const now = useNow();
  const { requests = [] } = props;
  return (
    <section class="card" aria-labelledby="requests-title">
      <h2 id="requests-title">Requests</h2>
      {requests.length === 0 ? (
        <p class="nothing">Nothing was ever asked for.</p>
      ) : (
        <RangeTable kind="requests" numbers={['Attempt', 'Made']}>
          {requests.map((request) => (
            <tr key={request.requestId}>
              <RangeCells
                range={<span class="mono">{whichText(request)}</span>}
                rangeNote={`${sizeText(request, request.end - request.start)}, by ${
                  request.origin === 'person' ? 'a person' : 'the detector'
                }`}
                state={requestStateText(request)}
                cause={requestCause(request)}
              />
              <td class="right attempts">
                <span class="narrow-only">attempt </span>
                {request.attempt}
              </td>
              <td class="right age">{agoText(now - request.createdAt)}</td>
              <td class="actions">
                {isOpen(request) && (
                  <button type="button" onClick={() => props.onAction({ kind: 'cancel', request })}>
                    Cancel
                    <span class="unseen"> the request for {whichText(request)}</span>
                  </button>
                )}
              </td>
            </tr>
          ))}
        </RangeTable>
      )}
    </section>
  );
}

function requestStateText(request: RequestView): string {
  if (request.state === 'pending') return request.unreachable ? 'Device unreachable' : 'Waiting to be sent';
  if (request.state === 'accepted') return 'Being fetched';
  if (request.state === 'partly-void' && request.lostLength > 0) return lostStateText(request);
  const words = wordsOf(request.state);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Once it has ended, what the module said on the way is past, unless that ended it. */
function requestCause(request: RequestView): string {
  if (request.state === 'closed') return ' ';
  if (request.state === 'partly-void' && request.lostLength > 0) return lostText(request);
  return request.answer ?? ' ';
}
