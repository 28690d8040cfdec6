// The things that a person may do, each with what it means.
import { useState } from 'preact/hooks';
import type { StreamView } from '../../../ledger/streams.ts';
import type { RangeOfStream } from '../../../repair/range-of-stream.ts';
import type { RequestView } from '../../../repair/request-views.ts';
import { calls, type Range } from '../live/calls.ts';
import { useNotice } from '../shell/notice.tsx';
import { plural } from '../text/format.ts';
import { sizeText, whichText } from '../text/which-text.ts';
import { ActionDialog } from './action-dialog.tsx';
import { RangeField } from './range-field.tsx';

/** A range of the stream that is looked at, or one that says itself what it is of: late windows have numbers of their own. */
type Asked = Range & Partial<Pick<RangeOfStream, 'streamId' | 'lateSeries' | 'index'>>;

export type Action =
  | { readonly kind: 'request' | 'waive' | 'accept'; readonly range: Asked; readonly editable?: boolean }
  | { readonly kind: 'cancel'; readonly request: RequestView };

interface Props {
  readonly stream: StreamView;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function Actions({ action, ...props }: Props & { readonly action: Action }) {
  if (action.kind === 'cancel') return <Cancel {...props} request={action.request} />;
  const { range, editable = false } = action;
  if (action.kind === 'accept') return <Accept {...props} range={range} editable={editable} />;
  return action.kind === 'request' ? (
    <Request {...props} range={range} editable={editable} />
  ) : (
    <Waive {...props} range={range} editable={editable} />
  );
}

type RangeProps = Props & { readonly range: Asked; readonly editable: boolean };

function Request({ stream, range, editable, onClose, onDone }: RangeProps) {
  const [chosen, setChosen] = useState<Range | undefined>(range);
  const notice = useNotice();
  return (
    <ActionDialog
      title="Request this range again"
      confirm="Request"
      ready={chosen !== undefined}
      onClose={onClose}
      act={async (token) => {
        const { requestIds } = await calls.request(range.streamId ?? stream.id, chosen!, token);
        notice(`${plural(requestIds.length, 'request')} made. The module is asked now.`);
        onDone();
      }}
    >
      <Subject stream={stream} range={range} editable={editable} onRange={setChosen} />
      <p>
        The module is asked for what is missing there: first from its own archive, then from the equipment’s
        history. What it cannot get, it declares void.
      </p>
    </ActionDialog>
  );
}

function Waive({ stream, range, editable, onClose, onDone }: RangeProps) {
  const [chosen, setChosen] = useState<Range | undefined>(range);
  const [reason, setReason] = useState('');
  const notice = useNotice();
  return (
    <ActionDialog
      title="Accept what is missing as lost"
      confirm="Waive"
      ready={chosen !== undefined && reason.trim() !== ''}
      onClose={onClose}
      act={async (token) => {
        await calls.waive(range.streamId ?? stream.id, chosen!, reason.trim(), token);
        notice('Waived. It counts as accounted for, and is asked for no more.');
        onDone();
      }}
    >
      <Subject stream={stream} range={range} editable={editable} onRange={setChosen} />
      <p>
        What is missing there counts as accounted for and is asked for no more. Data that comes all the same
        still counts. This cannot be taken back, and your reason stays in the history.
      </p>
      <Reason reason={reason} onReason={setReason} placeholder="such as: line stood still for maintenance" />
    </ActionDialog>
  );
}

function Accept({ stream, range, editable, onClose, onDone }: RangeProps) {
  const [chosen, setChosen] = useState<Range | undefined>(range);
  const [reason, setReason] = useState('');
  const notice = useNotice();
  return (
    <ActionDialog
      title="Accept what no clock or counter should say"
      confirm="Accept"
      ready={chosen !== undefined && reason.trim() !== ''}
      onClose={onClose}
      act={async (token) => {
        const { notTaken } = await calls.accept(range.streamId ?? stream.id, chosen!, reason.trim(), token);
        const left =
          notTaken && ` ${plural(notTaken.messages, 'message')} could not be taken: ${notTaken.why}.`;
        notice(`Accepted. What is kept of it counts now, and what comes for it is believed.${left ?? ''}`);
        onDone();
      }}
    >
      <Subject stream={stream} range={range} editable={editable} onRange={setChosen} />
      <p>
        The stream was there, whatever its clock or counter looked like. What lies between that and the rest
        of the stream becomes a gap, and is asked for. This cannot be taken back.
      </p>
      <Reason reason={reason} onReason={setReason} placeholder="such as: the counter was replaced" />
    </ActionDialog>
  );
}

function Cancel({ stream, request, onClose, onDone }: Props & { readonly request: RequestView }) {
  const [reason, setReason] = useState('');
  const notice = useNotice();
  return (
    <ActionDialog
      title="Cancel this request"
      confirm="Cancel the request"
      dismiss="Close"
      ready={reason.trim() !== ''}
      onClose={onClose}
      act={async (token) => {
        await calls.cancel(request.requestId, reason.trim(), token);
        notice('Cancelled. Its range is asked for no more, until a person asks.');
        onDone();
      }}
    >
      <Subject stream={stream} range={request} editable={false} onRange={() => {}} />
      <p>What it has not brought stays missing, and is asked for no more until a person asks.</p>
      <Reason reason={reason} onReason={setReason} placeholder="such as: equipment is being replaced" />
    </ActionDialog>
  );
}

function Subject(props: {
  readonly stream: StreamView;
  readonly range: Asked;
  readonly editable: boolean;
  readonly onRange: (range: Range | undefined) => void;
}) {
  const { stream, range } = props;
  if (props.editable) return <RangeField index={stream.index} range={range} onRange={props.onRange} />;
  const of = { index: stream.index, lateSeries: null, ...range };
  return (
    <p class="subject">
      <strong>{stream.batchId}</strong>
      <span class="mono">{whichText(of)}</span>
      <span class="note">{sizeText(of, range.end - range.start)}</span>
    </p>
  );
}

function Reason(props: {
  readonly reason: string;
  readonly placeholder: string;
  readonly onReason: (reason: string) => void;
}) {
  return (
    <label class="field">
      <span>Reason</span>
      <input
        required
        maxLength={500}
        placeholder={props.placeholder}
        value={props.reason}
        onInput={(event) => props.onReason(event.currentTarget.value)}
      />
    </label>
  );
}
