/** The ledger knows windows, not what is in them: of a rule's stream, where its rows are to be seen. */
export function RuleRows({ batchId }: { readonly batchId: string }) {
  if (!batchId.startsWith('rule:')) return null;
  return (
    <section class="card" aria-labelledby="rule-rows-title">
      <h2 id="rule-rows-title">Rows of the rule</h2>
      <p>
        The ledger keeps which verdicts arrived, not what they say. Rows, and what became of each action (tag{' '}
        <code>action</code>
        ), are where the hub routes its messages; on the gateway <code>holdfast status</code> counts them, and{' '}
        <code>holdfast spool export DIR --stream {batchId}</code> prints them, with the module stopped.
      </p>
    </section>
  );
}
