// Patterns for all drawings of the page: what colour says, a pattern says too.
export function Patterns() {
  return (
    <svg class="patterns" width="0" height="0" aria-hidden="true">
      <defs>
        <pattern
          id="p-backfilled"
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect width="6" height="6" class="fill-backfilled" />
          <rect width="2" height="6" class="fill-ink" />
        </pattern>
        <pattern
          id="p-void"
          width="5"
          height="5"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(-45)"
        >
          <rect width="1.6" height="5" class="fill-void" />
        </pattern>
        <pattern id="p-waived" width="5" height="5" patternUnits="userSpaceOnUse">
          <circle cx="2.5" cy="2.5" r="1.1" class="fill-void" />
        </pattern>
        <pattern id="p-requested" width="8" height="8" patternUnits="userSpaceOnUse">
          <rect width="5" height="8" class="fill-requested" />
        </pattern>
        <pattern id="p-abandoned" width="6" height="6" patternUnits="userSpaceOnUse">
          <path d="M0 0L6 6M6 0L0 6" class="stroke-ink" />
        </pattern>
      </defs>
    </svg>
  );
}
