// Confirms one action, with the token if it is not known yet, and stays open until the detector has taken it.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { CallError } from '../live/calls.ts';
import { Dialog } from './dialog.tsx';
import { keepToken, readToken } from './token.ts';

export interface ActionDialogProps {
  readonly title: string;
  /** What will happen. */
  readonly children: ComponentChildren;
  readonly confirm: string;
  readonly act: (token: string) => Promise<void>;
  readonly onClose: () => void;
  readonly ready?: boolean;
  /** Leaves without it. */
  readonly dismiss?: string;
}

export function ActionDialog(props: ActionDialogProps) {
  const { title, children, confirm, act, onClose, ready = true, dismiss = 'Cancel' } = props;
  const [token, setToken] = useState(readToken() ?? '');
  const [asks, setAsks] = useState(readToken() === undefined);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const submit = async () => {
    if (busy || !ready || token === '') return;
    setBusy(true);
    setProblem('');
    try {
      await act(token);
      keepToken(token);
      onClose();
    } catch (error) {
      if (error instanceof CallError && error.status === 401) {
        keepToken(undefined);
        setToken('');
        setAsks(true);
      }
      setProblem(explain(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {children}
        {asks && <TokenField token={token} onToken={setToken} />}
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="buttons">
          <button type="button" onClick={onClose}>
            {dismiss}
          </button>
          <button type="submit" class="primary" disabled={busy}>
            {busy ? 'Asking …' : confirm}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function TokenField({
  token,
  onToken,
}: {
  readonly token: string;
  readonly onToken: (token: string) => void;
}) {
  const hint = useId();
  return (
    <label class="field">
      <span>Bearer token</span>
      <input
        type="password"
        required
        autocomplete="off"
        spellcheck={false}
        aria-describedby={hint}
        value={token}
        onInput={(event) => onToken(event.currentTarget.value.trim())}
      />
      <small id={hint}>The detector’s HOLDFAST_API_TOKEN. Kept for this tab until you close it.</small>
    </label>
  );
}

function explain(error: unknown): string {
  if (!(error instanceof CallError)) return String(error);
  if (error.status === 401) return 'That is not the detector’s token.';
  if (error.status === 403)
    return 'The detector takes no actions: it was started without HOLDFAST_API_TOKEN.';
  if (error.status === 409) return `Nothing to do: ${error.message}.`;
  if (error.status === 0)
    return `The detector does not answer: ${error.message}. Nothing is known to have changed.`;
  return error.message;
}
