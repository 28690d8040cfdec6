// The field that a list is searched by; the key / leads there.
import { useEffect, useRef } from 'preact/hooks';

export function Search(props: {
  /** What is searched, for who does not see the field. */
  readonly of: string;
  readonly search: string;
  readonly onSearch: (search: string) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing =
        event.target instanceof Element && event.target.closest('input, textarea, select, dialog');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <label class="search">
      <span class="unseen">Search by {props.of}</span>
      <input
        ref={input}
        type="search"
        placeholder="Search   /"
        maxLength={128}
        value={props.search}
        onInput={(event) => props.onSearch(event.currentTarget.value)}
      />
    </label>
  );
}
